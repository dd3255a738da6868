/// What the server's configuration says about items. An agent sees a change of it when it lists again, which it does after the server's
/// restart (see ``ChangeJournal``).
public struct ProjectionSettings: Hashable, Sendable {
    /// 2 (RFC 3768) or 3 (RFC 5798).
    public var vrrpVersion: Int
    /// How often a VRRP master advertises itself.
    public var advertisementIntervalMilliseconds: Int

    public init(vrrpVersion: Int = 3, advertisementIntervalMilliseconds: Int = 100) {
        precondition(vrrpVersion == 2 || vrrpVersion == 3, "VRRP has the versions 2 and 3")
        precondition(advertisementIntervalMilliseconds > 0, "the advertisement interval must be positive")
        self.vrrpVersion = vrrpVersion
        self.advertisementIntervalMilliseconds = advertisementIntervalMilliseconds
    }
}
