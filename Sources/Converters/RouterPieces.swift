import KernelInterface

/// What one router adds to the configuration of a host.
public struct RouterPieces: Hashable, Sendable {
    /// `qrouter-<id>`.
    public var namespace: NamespaceName
    /// Everything inside the namespace, the inner ends of its veth pairs included.
    public var configuration: NamespaceConfiguration
    /// The outer ends (`tap…`) of the veth pairs, in the host's own namespace: see ``ServiceLink``.
    public var hostLinks: [Link]
    public var daemons: [DaemonConfiguration]
    /// Sentences about what this host cannot realise; everything else of the router is realised.
    public var problems: [String] = []

    public init(
        namespace: NamespaceName, configuration: NamespaceConfiguration = NamespaceConfiguration(), hostLinks: [Link] = [],
        daemons: [DaemonConfiguration] = []
    ) {
        self.namespace = namespace
        self.configuration = configuration
        self.hostLinks = hostLinks
        self.daemons = daemons
    }
}
