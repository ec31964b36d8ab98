Heat and cold meters that count in kWh or MWh are stored too, in MJ like all others; registers may be printed in MWh.
