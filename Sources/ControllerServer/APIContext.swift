import AccessPolicy
import Hummingbird
import Logging
import NIOCore

/// The router of the API; the name `Router` alone would mean the resource as well.
typealias APIRouter = Router<APIContext>

/// What travels with one request: who asks, and the id under which everything that it causes is logged.
public struct APIContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// `req-` and a UUID, as OpenStack writes it; sent back as `X-Openstack-Request-Id`.
    public var requestID: String = ""
    public var caller = Caller(projectID: "", isAdmin: false)

    /// No resource needs a larger body; a larger one is answered with 413.
    public static let maximumBodyBytes = 1 << 20
    /// A body that takes longer to come is answered with 408.
    public static let maximumBodySeconds = 60

    /// The client's connection, to be closed when the client does not stop sending.
    let channel: (any Channel)?

    public init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// The IP address at the other end of the connection; empty when there is none.
    var peerAddress: String { channel?.remoteAddress?.ipAddress ?? "" }

    public var maxUploadSize: Int { Self.maximumBodyBytes }
}
