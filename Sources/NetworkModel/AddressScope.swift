import Addressing

/// Addresses of one family that are unique in it and may be routed to each other without translation. Subnet pools belong to it.
public struct AddressScope: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    public var version: IPVersion
    /// Seen and used by every project. Never taken back.
    public var isShared: Bool = false
    /// Not shown and not kept: address scopes have neither revision nor timestamps.
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, version: IPVersion) {
        self.id = id
        self.projectID = projectID
        self.version = version
    }
}
