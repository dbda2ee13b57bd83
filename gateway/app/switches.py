"""What is switched off, as this process knows it: read again every two seconds, never on a request's way."""

from gateway.errors import GatewayError
from gateway.ports import Observe
from gateway.storage import SqlSwitches
from gateway.switches import Switches

RENEW_SECONDS = 2  # so a switch counts everywhere a little more than two seconds after it was set, under load too


class LiveSwitches:
    """The last snapshot that could be read. Raises StorageError when there is none to begin with."""

    def __init__(self, switches: SqlSwitches, observe: Observe) -> None:
        self._switches, self._observe = switches, observe
        self._snapshot = switches.read()

    def __call__(self) -> Switches:
        return self._snapshot

    def renew(self) -> None:
        """Read them again; a store that does not answer changes nothing but the log."""
        try:
            self._snapshot = self._switches.read()
        except GatewayError as error:
            self._observe("switches-not-renewed", {"error": error})
