import Addressing
import Converters

/// What an agent was told when it was started.
public struct AgentConfiguration: Sendable {
    /// The name under which the server knows this host: `binding:host_id`.
    public var hostID: String
    /// Servers to try in turn, such as `http://10.0.0.1:9696`.
    public var serverURLs: [String]
    public var settings: AgentSettings
    /// How often the server hears from us when nothing happens. The server counts a host as dead after 75 s by default.
    public var heartbeatSeconds: Int
    /// The part of the cloud that the host is in: routers and networks are spread over zones, or ask for some.
    public var availabilityZone: String
    /// How often everything is compared with the kernel, whether or not anything was heard of. Jittered by a quarter.
    public var fullCheckSeconds: Int
    /// How often it is looked whether somebody else changed a ruleset, where the kernel's events do not tell, or a setting that it needs.
    public var firewallCheckMilliseconds: Int
    /// How much of the host's tracked connections one instance may hold once three quarters of what it can track are taken; 0: any number.
    public var connectionSharePercent: Int
    /// How many connections the host can track; nil: as many as the kernel says (`nf_conntrack_max`).
    public var connectionCapacity: Int?
    /// What the server asks of agents; nil: nothing.
    public var secret: String?

    public static let defaultConnectionSharePercent = 10

    public init(
        hostID: String, serverURLs: [String], settings: AgentSettings, heartbeatSeconds: Int = 10, fullCheckSeconds: Int = 30,
        firewallCheckMilliseconds: Int = 500, availabilityZone: String = "nova",
        connectionSharePercent: Int = AgentConfiguration.defaultConnectionSharePercent, connectionCapacity: Int? = nil,
        secret: String? = nil
    ) {
        precondition(!serverURLs.isEmpty, "an agent needs a server to follow")
        self.hostID = hostID
        self.serverURLs = serverURLs
        self.settings = settings
        self.heartbeatSeconds = heartbeatSeconds
        self.availabilityZone = availabilityZone
        self.fullCheckSeconds = fullCheckSeconds
        self.firewallCheckMilliseconds = firewallCheckMilliseconds
        self.connectionSharePercent = connectionSharePercent
        self.connectionCapacity = connectionCapacity
        self.secret = secret
    }
}
