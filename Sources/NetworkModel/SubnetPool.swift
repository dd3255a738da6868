import Addressing

/// Prefixes of one family from which subnets are cut.
///
/// Subnets of a pool never overlap and lie inside its prefixes; the pools of an address scope do not overlap either.
public struct SubnetPool: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var name: String = ""
    /// As few as cover the addresses, ascending. A new pool has at least one.
    public var prefixes: [IPPrefix] = []
    public var version: IPVersion
    /// The length of a subnet that asks for none.
    public var defaultPrefixLength: Int
    /// Of the largest subnet.
    public var minimumPrefixLength: Int
    /// Of the smallest subnet.
    public var maximumPrefixLength: Int
    /// What one project may take, in IPv4 addresses or in IPv6 prefixes of length 64; nil and 0: anything.
    public var defaultQuota: Int?
    /// Whether subnets come from it that only ask for a default pool: one pool of a family.
    public var isDefault: Bool = false
    public var isShared: Bool = false
    public var addressScopeID: ResourceID?
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, version: IPVersion) {
        self.id = id
        self.projectID = projectID
        self.version = version
        minimumPrefixLength = version == .v4 ? 8 : 64
        maximumPrefixLength = version.addressBits
        defaultPrefixLength = minimumPrefixLength
    }
}
