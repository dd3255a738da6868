import Addressing

/// One haproxy: takes instances' requests for metadata inside a namespace and hands them to the agent's own service on the host, with who asks.
/// See haproxy's configuration manual.
///
/// Nothing that an instance says of itself passes: every header `X-…` and `Forwarded` goes, and the network that the request came from, and its source
/// address, come anew. Each request has a connection of its own to the agent, so that no request can hide behind another.
public struct MetadataProxyConfiguration: Hashable, Sendable {
    /// Where requests of one network come in.
    public struct Listener: Hashable, Sendable {
        public enum Addresses: Hashable, Sendable {
            /// 169.254.169.254 and fe80::a9fe:a9fe themselves.
            case metadata
            /// Whatever the rules of the namespace lead to the port.
            case all
        }

        public var addresses: Addresses
        public var port: Int
        /// The network's id.
        public var network: String

        public init(addresses: Addresses, port: Int, network: String) {
            self.addresses = addresses
            self.port = port
            self.network = network
        }
    }

    public static let ipv4Address = "169.254.169.254"
    public static let ipv6Address = "fe80::a9fe:a9fe"
    /// Headers that only haproxy and the agent's service write; the names are Neutron's.
    public static let networkHeader = "X-Neutron-Network-ID"
    public static let routerHeader = "X-Neutron-Router-ID"
    /// The Debian package makes them.
    public static let user = "haproxy"
    public static let group = "haproxy"

    /// Connections of instances of one namespace at a time; more wait in the kernel's queue.
    static let maximumConnections = 256
    /// Requests of one network at the agent at a time, so that one network cannot take what all share; more wait ``queueSeconds``.
    static let maximumRequests = 16
    static let queueSeconds = 10
    /// For the whole head of a request, and between two of a connection.
    static let requestSeconds = 10
    static let connectSeconds = 5
    /// Longer than the service waits for Nova.
    static let answerSeconds = 40
    static let maximumHeaders = 64
    /// Octets of the head of a request, and of what is read ahead of a body.
    static let bufferBytes = 16_384

    public var listeners: [Listener]
    /// The router's id; nil in a namespace of DHCP.
    public var router: String?
    /// The directory that haproxy sees as its root, and the socket in it.
    public var jail: String
    public var socketName: String

    public init(listeners: [Listener], router: String? = nil, jail: String, socketName: String) {
        self.listeners = listeners
        self.router = router
        self.jail = jail
        self.socketName = socketName
    }

    /// The contents of haproxy.cfg. Equal configurations have equal texts.
    func rendered(processIDFile: String) -> String {
        let lines =
            [
                "global",
                "    daemon",
                "    nbthread 1",
                "    maxconn \(Self.maximumConnections)",
                "    pidfile \(processIDFile)",
                "    chroot \(jail)",
                "    user \(Self.user)",
                "    group \(Self.group)",
                "    tune.bufsize \(Self.bufferBytes)",
                "    tune.http.maxhdr \(Self.maximumHeaders)",
                "",
                "defaults",
                "    mode http",
                "    option http-server-close",
                "    option forwardfor",
                "    retries 1",
                "    timeout http-request \(Self.requestSeconds)s",
                "    timeout http-keep-alive \(Self.requestSeconds)s",
                "    timeout connect \(Self.connectSeconds)s",
                "    timeout queue \(Self.queueSeconds)s",
                "    timeout client \(Self.answerSeconds)s",
                "    timeout server \(Self.answerSeconds)s",
            ] + listeners.sorted { ($0.port, $0.network) < ($1.port, $1.network) }.flatMap(section)
        return lines.map { $0 + "\n" }.joined()
    }

    private func section(_ listener: Listener) -> [String] {
        var lines = ["", "listen \(listener.network)"]
        switch listener.addresses {
        case .metadata:
            // Bound to no device, which may be made anew, and to no IPv6 address, which may come later.
            lines += [
                "    bind \(Self.ipv4Address):\(listener.port) transparent", "    bind :::\(listener.port) v6only",
                "    tcp-request connection reject unless { dst \(Self.ipv4Address) \(Self.ipv6Address) }",
            ]
        case .all: lines += ["    bind 0.0.0.0:\(listener.port)", "    bind :::\(listener.port) v6only"]
        }
        lines += [
            "    http-request del-header ^x- -m reg", "    http-request del-header forwarded",
            // haproxy writes its own; what else an instance writes into it is left out.
            "    http-request del-header connection",
            "    http-request set-header \(Self.networkHeader) \(listener.network)",
        ]
        if let router { lines.append("    http-request set-header \(Self.routerHeader) \(router)") }
        return lines + ["    server agent unix@/\(socketName) maxconn \(Self.maximumRequests)"]
    }
}
