"""Responsible for the routes of API version 2 at ``consumption/energy-supplier-prices``: what the supplier charges.

Contracts are listed, entered, changed and removed.
What is written here counts at once, for days that are past as well: costs are computed when they are asked for.

Tests: ``tests/api/test_prices.py``, ``tests/api/test_prices_changes.py``, ``tests/api/test_prices_ids.py``
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from attrs import define, evolve, field
from klein import Klein
from twisted.internet.defer import Deferred, DeferredLock
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_costs
from dsmr_tw.api.answers import json_answer, no_answer, shielded
from dsmr_tw.api.bodies import parse
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window
from dsmr_tw.api.problems import bad_fields, not_found
from dsmr_tw.domain.contract import Contract
from dsmr_tw.errors import ContractRefused
from dsmr_tw.interfaces import IContracts
from dsmr_tw.stored import ApiKey

PATH: Final = "/api/v2/consumption/energy-supplier-prices"


@define
class PricesApi:
    """What the supplier charges, contract by contract."""

    contracts: IContracts
    gate: Gate
    meters: MeterBook
    pages: PageMaker
    _turn: DeferredLock = field(factory=DeferredLock, init=False, repr=False)
    """One change at a time: of two that name different prices of a contract, neither undoes the other."""

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route(PATH)
    def all_contracts(self, request: Request) -> Deferred[bytes]:
        """Contracts."""
        return self.gate.enter(
            request,
            "Energy Supplier Prices",
            GET=Way("read", self.list_contracts),
            POST=Way("admin", self.create_contract),
        )

    @app.route(f"{PATH}/<contract_id>")
    def one_contract(self, request: Request, contract_id: str) -> Deferred[bytes]:
        """A contract."""
        return self.gate.enter(
            request,
            "Energy Supplier Price",
            GET=Way("read", partial(self.show_contract, contract_id)),
            PUT=Way("admin", partial(self.change_contract, contract_id)),
            PATCH=Way("admin", partial(self.change_contract, contract_id, partly=True)),
            DELETE=Way("admin", partial(self.remove_contract, contract_id)),
        )

    async def list_contracts(self, request: Request, key: ApiKey) -> bytes:
        """A page of contracts; a meter has few, so they are put in order and cut here."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)

        async def read(window: Window) -> Page[Contract]:
            contracts = shapes_costs.ordered(await self.contracts.all(meter.id), query.get("ordering"))
            shown = contracts[window.offset : window.offset + window.limit]
            return Page(len(contracts), shown, shapes_costs.supplier_prices)

        return await self.pages.answer(request, query, read)

    async def create_contract(self, request: Request, key: ApiKey) -> bytes:
        """Store a contract of the meter that is asked for."""
        meter = await self.meters.asked(Query.of(request), key)
        contract = Contract(id=0, meter_id=meter.id, **shapes_costs.submitted_terms(parse(request)))
        created = await shielded(Deferred.fromCoroutine(self._stored(self.contracts.add, contract)))
        return json_answer(request, shapes_costs.supplier_prices(created), HTTPStatus.CREATED)

    async def show_contract(self, contract_id: str, request: Request, key: ApiKey) -> bytes:
        """A contract as it is."""
        contract = await self._found(contract_id, Query.of(request), key)
        return json_answer(request, shapes_costs.supplier_prices(contract))

    async def change_contract(self, contract_id: str, request: Request, key: ApiKey, partly: bool = False) -> bytes:
        """Let a contract be as is submitted; ``partly``: what is left out stays as it was."""
        query, terms = Query.of(request), shapes_costs.submitted_terms(parse(request), partly)

        async def change() -> Contract:
            found = await self._found(contract_id, query, key)
            return await self._stored(self.contracts.change, evolve(found, **terms))

        changed: Contract = await shielded(self._turn.run(lambda: Deferred.fromCoroutine(change())))
        return json_answer(request, shapes_costs.supplier_prices(changed))

    async def remove_contract(self, contract_id: str, request: Request, key: ApiKey) -> bytes:
        """Forget a contract."""
        contract = await self._found(contract_id, Query.of(request), key)
        if not await shielded(self.contracts.remove(contract.id)):
            raise not_found()
        return no_answer(request)

    async def _found(self, contract_id: str, query: Query, key: ApiKey) -> Contract:
        """The contract with this id: of the meter that is asked for, if any is, else of any that the key may see.

        Raises: ``Problem`` 404 when there is none.
        """
        wanted = query.get("meter")
        for meter in [await self.meters.wanted(key, wanted)] if wanted else await self.meters.listed(key):
            for contract in await self.contracts.all(meter.id):
                if str(contract.id) == contract_id:
                    return contract
        raise not_found()

    async def _stored(self, store: Callable[[Contract], Deferred[Contract]], contract: Contract) -> Contract:
        """Add or change a contract.

        Raises: ``Problem`` 400 when it can't be, beside the others; 404 when it was to be changed and is gone by now.
        """
        try:
            return await store(contract)
        except ContractRefused as error:
            there = {other.id for other in await self.contracts.all(contract.meter_id)}
            if contract.id not in {0, *there}:
                raise not_found() from error
            raise bad_fields(shapes_costs.refused(contract, str(error))) from error
