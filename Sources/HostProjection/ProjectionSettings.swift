/// What the server's configuration says about items. An agent sees a change of it when it lists again, which it does after the server's
/// restart (see ``ChangeJournal``).
public struct ProjectionSettings: Hashable, Sendable {
    /// Octets of a password (RFC 2338, section 5.3.6.1: the authentication data of type 1).
    public static let maximumPasswordBytes = 8

    /// 2 (RFC 3768) or 3 (RFC 9568).
    public var vrrpVersion: Int
    /// How often a VRRP master advertises itself. Version 2 counts whole seconds.
    public var advertisementIntervalMilliseconds: Int
    /// What members prove themselves with; VRRP version 2 only, at most 8 octets. Nil: nothing.
    public var password: String?
    /// Whether the members of a router tell each other of the connections that pass through it.
    public var replicatesConnections: Bool

    public init(
        vrrpVersion: Int = 3, advertisementIntervalMilliseconds: Int = 1000, password: String? = nil, replicatesConnections: Bool = true
    ) {
        precondition(vrrpVersion == 2 || vrrpVersion == 3, "VRRP has the versions 2 and 3")
        precondition(advertisementIntervalMilliseconds > 0, "the advertisement interval must be positive")
        precondition(
            password.map { vrrpVersion == 2 && $0.utf8.count <= Self.maximumPasswordBytes } ?? true,
            "only VRRP version 2 has passwords, of at most 8 octets")
        self.vrrpVersion = vrrpVersion
        self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
        self.password = password
        self.replicatesConnections = replicatesConnections
    }
}
