"""spyne as the host of the SOAP services: application, service, operation, dispatch; and nothing else of it.

Each service of the catalogue becomes one spyne Application with one ServiceBase class, whose methods carry the names
of the operations. The protocol below never sees the foreign octets: by the time an operation is dispatched, the
envelope was parsed, verified and validated by our own rooms, and what the method returns is the finished answer. So
spyne's parser, href resolution, validator, fault writer and WSDL stay unused (docs/architecture.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway import names
from gateway.errors import InternalError, NotFound, UnknownMessage
from gateway.transport.spyne_import import (
    Application,
    ByteArray,
    MethodContext,
    ServerBase,
    ServiceBase,
    Soap11,
    appreg,
    rpc,
)
from gateway.values import Service

Work = Callable[[], bytes]


class Host:
    """Runs the operations of the hub's services as methods of spyne services.

    Takes   the services by path, as the catalogue makes them; read once.
    Source  SOAP 1.1; Digikoppeling WUS WS001 (several operations per service), WS003 (request and response only).
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._servers = {path: _server(service) for path, service in services.items()}
        self._namespaces = {
            (path, operation.name): operation.namespace
            for path, service in services.items() for operation in service.operations.values()
        }

    def dispatch(self, service_path: str, operation_name: str, work: Work) -> bytes:
        """Run `work` as the method of that operation; gives the finished octets that `work` returns.

        Raises NotFound (no such service), UnknownMessage (no such operation), InternalError (spyne did not run the
        method), and unchanged whatever `work` raises. Safe to call from many threads.
        """
        server = self._servers.get(service_path)
        if server is None:
            raise NotFound(service_path)
        namespace = self._namespaces.get((service_path, operation_name))
        if namespace is None:
            raise UnknownMessage(operation_name)
        return server.call(names.clark(namespace, operation_name), work)


class _Call:
    """One piece of work on its way through spyne, and what came of it.

    The outcome travels here and not through spyne: Application.process_request would log an exception with its
    traceback and answer a fault of its own.
    """

    __slots__ = ("error", "octets", "operation", "work")

    def __init__(self, operation: str, work: Work) -> None:
        self.operation = operation
        self.work = work
        self.octets: bytes | None = None
        self.error: BaseException | None = None

    def run(self) -> bytes:
        """Do the work once; keep its octets or its exception."""
        try:
            self.octets = self.work()
        except BaseException as error:
            self.error = error
            return b""
        return self.octets


class _Finished(Soap11):  # type: ignore[misc]  # spyne has no types
    """SOAP 1.1 whose documents are made elsewhere: takes a call in, hands finished octets out."""

    def get_context(self, parent: Any, transport: Any) -> None:
        """No protocol context: nothing here is kept between the steps."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        ctx.in_document = ctx.in_string

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        ctx.method_request_string = ctx.in_document.operation

    def deserialize(self, ctx: Any, message: Any) -> None:
        ctx.in_object = ()

    def serialize(self, ctx: Any, message: Any) -> None:
        ctx.out_document = ctx.out_object

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        ctx.out_string = ctx.out_document


class _Context(MethodContext):  # type: ignore[misc]
    """A spyne call without transport facts: those are in values.Received. What is never used costs nothing."""

    TransportContext = None
    __setattr__ = object.__setattr__  # spyne's own guards against misspelt names, at each of fifty assignments

    def copy(self) -> "_Context":
        """Spyne gives each method its copy, for when one call runs several; here one call is one method."""
        return self

    def fire_event(self, event: str, *_: Any, **__: Any) -> None:
        """No listener is ever added: an exception travels in _Call, and what there is to log the pipeline observes."""


class _Server(ServerBase):  # type: ignore[misc]
    """spyne's steps for one service, in spyne's order."""

    transport = names.SOAP_HTTP

    def call(self, operation: str, work: Work) -> bytes:
        call = _Call(operation, work)
        entry = _Context(self, MethodContext.SERVER)
        entry.in_string = call
        context, *others = self.generate_contexts(entry)
        assert not others, "one operation is one method"
        try:
            if context.in_error is None:
                self.get_in_object(context)
                self.get_out_object(context)
            if call.error is not None:
                raise call.error
            if context.out_error is None:
                self.get_out_string(context)
            if call.octets is None or context.out_string != [call.octets]:
                raise InternalError(f"spyne did not run {operation}")
            return call.octets
        finally:
            # Context and event object point at each other; cut, so that octets do not wait for the cycle collector.
            context.event = None
            call.error = None


def _server(service: Service) -> _Server:
    """One Application for one address."""
    operations = list(service.operations.values())
    namespaces = {operation.namespace for operation in operations}
    assert len(namespaces) == 1, f"{service.path}: one service speaks one namespace"
    (namespace,) = namespaces
    class_name = "_".join(part for part in service.path.split("/") if part)
    methods = {
        operation.name: rpc(
            _returns=ByteArray, _in_message_name=operation.name, _out_message_name=operation.name + "Antwoord",
        )(_named(operation.name))
        for operation in operations
    }
    kind = type(class_name, (ServiceBase,), methods)
    application = Application([kind], tns=namespace, name=class_name, in_protocol=_Finished(), out_protocol=_Finished())
    # spyne remembers every application in a global table; a second host in one process would be warned about the first.
    appreg.unregister_application(application)
    return _Server(application)


def _named(operation: str) -> Callable[[Any], bytes]:
    """A method of its own per operation: spyne writes the descriptor onto the function."""

    def method(ctx: Any) -> bytes:
        octets: bytes = ctx.in_document.run()
        return octets

    method.__name__ = method.__qualname__ = operation
    return method
