"""Responsible for saying whose fault an error is.

Every error that the house raises on purpose stands in one tree, and its branch tells what is done about it:

========================  =================================================================
``TelegramError``         the line's: counted, logged with its reason; wait for the next ``/``
``StoreError``            the store's: kept waiting and tried again, or answered with 503
``SinkError``             another host's: logged once an outage; storing never waits for it
``FeedError``             the same of a host that gives
``RequestError``          the caller's: a 4xx answer
``SettingsError``         the operator's: one sentence, exit status 1
========================  =================================================================

Anything else is ours: logged as a failure, answered with 500, and the tests fail on it.
"""


class DsmrError(Exception):
    """An error whose text can be shown to a person as it stands."""


class TelegramError(DsmrError):
    """These bytes are no telegram that can be stored; the text says why, and which line."""


class CrcError(TelegramError):
    """The CRC of the telegram is not that of its bytes, or is absent or unreadable."""

    def __init__(self, text: str, body: bytes = b"") -> None:
        """``body`` is what came from ``/`` to ``!``, for whoever looks for what is wrong with it."""
        super().__init__(text)
        self.body = body


class TelegramTooLong(TelegramError):
    """More bytes came than a telegram may have, and no end among them."""


class FrameError(TelegramError):
    """An encrypted frame can't be used."""

    reason = "frame"
    """One word, for counting."""


class FrameTagError(FrameError):
    """The tag of the frame does not vouch for it: the key is another's, or bytes were lost or changed."""

    reason = "tag"


class FrameCounterError(FrameError):
    """The frame is genuine, and was here before: its counter did not rise."""

    reason = "counter"


class FrameLengthError(FrameError):
    """The frame is longer than any may be, or ended before its length was reached."""

    reason = "length"


class StoreError(DsmrError):
    """The store did not do what was asked, and nothing of it is stored."""


class StoreUnavailable(StoreError):
    """The store takes nothing now (full or failing disk, database away); the same may succeed later."""


class DiskFull(StoreUnavailable):
    """The store takes nothing until somebody makes room on its disk."""


class ContractRefused(StoreError):
    """A supplier contract can't be as it was asked for; the text says why, and which other one stands in its way."""


class EditRefused(StoreError):
    """Epochs or accounts can't be joined or split as a person asked for; the text says why."""


class MeterRefused(StoreError):
    """A meter can't be opened or named as a person asked for; the text says why."""


class StoreRefused(StoreError):
    """The store can't be opened as it is: its schema is newer than this program, or another server holds it."""


class BackupError(StoreError):
    """A backup can't be made, or is not what it has to be; the text says why."""


class BackupStopped(BackupError):
    """Whoever made it does not want it any more."""


class IntakeFull(StoreError):
    """More readings wait for a commit than may; the sender should try again later."""


class SpoolFull(IntakeFull):
    """The spool holds as much as it may while the store is away."""


class SinkError(DsmrError):
    """Another host did not take what was sent to it."""


class FeedError(DsmrError):
    """Another host did not give what was asked of it; the same trouble has the same text every time."""


class RequestError(DsmrError):
    """A request that is answered with a 4xx status; see ``dsmr_tw.api.problems``."""


class SettingsError(DsmrError):
    """A setting that can't be; the text names the setting and what would be right."""
