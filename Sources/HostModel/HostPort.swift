import Addressing
import NetworkModel

/// An instance's port that this host must wire. Its device is `tap` + the first 11 characters of the id, made by whoever runs the instance.
public struct HostPort: Hashable, Sendable, Codable {
    public struct Pair: Hashable, Sendable, Codable {
        public var prefix: IPPrefix
        public var mac: MACAddress

        public init(prefix: IPPrefix, mac: MACAddress) {
            self.prefix = prefix
            self.mac = mac
        }
    }

    public var id: ResourceID
    public var networkID: ResourceID
    public var mac: MACAddress
    public var addresses: [IPAddress]
    public var isAdminStateUp: Bool
    public var isPortSecurityEnabled: Bool
    public var securityGroupIDs: [ResourceID]
    public var allowedAddressPairs: [Pair]
    /// The port's revision number: reported back when the port is wired as this revision asks.
    public var revision: Int
    /// Of the port's QoS policy, its own or its network's.
    public var quality: HostQuality?

    public init(
        id: ResourceID, networkID: ResourceID, mac: MACAddress, addresses: [IPAddress], isAdminStateUp: Bool = true,
        isPortSecurityEnabled: Bool = true, securityGroupIDs: [ResourceID] = [], allowedAddressPairs: [Pair] = [], revision: Int = 0,
        quality: HostQuality? = nil
    ) {
        self.id = id
        self.networkID = networkID
        self.mac = mac
        self.addresses = addresses
        self.isAdminStateUp = isAdminStateUp
        self.isPortSecurityEnabled = isPortSecurityEnabled
        self.securityGroupIDs = securityGroupIDs
        self.allowedAddressPairs = allowedAddressPairs
        self.revision = revision
        self.quality = quality
    }

    public var deviceName: String { "tap" + id.devicePart }
}

/// The rules of a group that a port on this host is a member of.
public struct HostSecurityGroup: Hashable, Sendable, Codable {
    public struct Rule: Hashable, Sendable, Codable {
        public var direction: RuleDirection
        /// 4 or 6.
        public var ipVersion: Int
        /// The IP protocol's number; nil means any.
        public var protocolNumber: Int?
        public var portRangeMinimum: Int?
        public var portRangeMaximum: Int?
        public var remotePrefix: IPPrefix?
        public var remoteGroupID: ResourceID?
        public var remoteAddressGroupID: ResourceID?

        public init(
            direction: RuleDirection, ipVersion: Int, protocolNumber: Int? = nil, portRangeMinimum: Int? = nil,
            portRangeMaximum: Int? = nil, remotePrefix: IPPrefix? = nil, remoteGroupID: ResourceID? = nil,
            remoteAddressGroupID: ResourceID? = nil
        ) {
            self.direction = direction
            self.ipVersion = ipVersion
            self.protocolNumber = protocolNumber
            self.portRangeMinimum = portRangeMinimum
            self.portRangeMaximum = portRangeMaximum
            self.remotePrefix = remotePrefix
            self.remoteGroupID = remoteGroupID
            self.remoteAddressGroupID = remoteAddressGroupID
        }
    }

    public var id: ResourceID
    public var rules: Set<Rule>
    /// Whether answers to what a rule allows need no rule of their own.
    public var isStateful: Bool

    public init(id: ResourceID, rules: Set<Rule> = [], isStateful: Bool = true) {
        self.id = id
        self.rules = rules
        self.isStateful = isStateful
    }
}

/// The addresses that a rule on this host names as its remote side.
public struct HostAddressGroup: Hashable, Sendable, Codable {
    public var id: ResourceID
    public var addresses: [IPPrefix]

    public init(id: ResourceID, addresses: [IPPrefix]) {
        self.id = id
        self.addresses = addresses
    }
}

/// The addresses of one member of a group that a rule on this host names as remote group. One item per member: a new member costs one
/// item, however many there are.
public struct HostGroupMember: Hashable, Sendable, Codable {
    public var groupID: ResourceID
    public var portID: ResourceID
    public var addresses: [IPPrefix]

    public init(groupID: ResourceID, portID: ResourceID, addresses: [IPPrefix]) {
        self.groupID = groupID
        self.portID = portID
        self.addresses = addresses
    }
}
