import NetworkModel

/// A resource's table without its Swift type: what its documentation is made of.
public struct ResourceDescription: Sendable {
    public struct Attribute: Sendable {
        public let name: String
        public let access: AttributeAccess
        public let type: AttributeType
        public let shownAs: AttributeType
        public let isVisible: Bool
        public let defaultValue: JSONValue?
        public let extensionAlias: String?
    }

    public let singular: String
    public let plural: String
    /// The path below /v2.0, or below the whole that the resource is a part of.
    public let collection: String
    public let attributes: [Attribute]

    public init<Resource: APIResource>(_ table: ResourceTable<Resource>) {
        singular = table.singular
        plural = table.plural
        collection = table.collection
        attributes = table.attributes.filter { $0.isVisible || !$0.access.contains(.hidden) }.map {
            Attribute(
                name: $0.name, access: $0.access, type: $0.type, shownAs: $0.shownAs ?? $0.type, isVisible: $0.isVisible,
                defaultValue: $0.defaultValue, extensionAlias: $0.extensionAlias)
        }
    }

    /// Everything with a table.
    public static let all: [ResourceDescription] = [
        .init(Network.table), .init(Subnet.table), .init(Port.table), .init(PortBinding.table), .init(Router.table),
        .init(FloatingIP.table), .init(PortForwarding.table), .init(ConnectionHelper.table), .init(SecurityGroup.table),
        .init(SecurityGroupRule.table), .init(Agent.table), .init(AddressScope.table), .init(SubnetPool.table), .init(QoSPolicy.table),
        .init(BandwidthLimitRule.table), .init(DSCPMarkingRule.table), .init(PacketRateLimitRule.table), .init(RBACPolicy.table),
        .init(Segment.table), .init(NetworkSegmentRange.table), .init(Flavor.table), .init(ServiceProfile.table), .init(AddressGroup.table),
        .init(SecurityGroupRuleTemplate.table), .init(DefaultStatefulness.table),
    ]

    /// `SecurityGroupRule`.
    var typeName: String { singular.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined() }
}
