import Addressing

/// One address of a port.
public struct FixedIP: Sendable, Hashable {
    public var subnetID: ResourceID
    public var address: IPAddress

    public init(subnetID: ResourceID, address: IPAddress) {
        self.subnetID = subnetID
        self.address = address
    }
}

/// A further address that a port may send from (`allowed_address_pairs`).
public struct AddressPair: Sendable, Hashable {
    public var prefix: IPPrefix
    public var mac: MACAddress

    public init(prefix: IPPrefix, mac: MACAddress) {
        self.prefix = prefix
        self.mac = mac
    }
}

/// A DHCP option of a single port (`extra_dhcp_opts`).
public struct ExtraDHCPOption: Sendable, Hashable {
    public var name: String
    public var value: String
    public var version: IPVersion

    public init(name: String, value: String, version: IPVersion = .v4) {
        self.name = name
        self.value = value
        self.version = version
    }
}

/// Who a port belongs to (`device_owner`). Any other text is allowed: Nova writes `compute:<zone>`.
public enum DeviceOwner {
    public static let dhcp = "network:dhcp"
    public static let routerInterface = "network:router_interface"
    public static let routerGateway = "network:router_gateway"
    public static let floatingIP = "network:floatingip"
    /// The member's own port on the HA network.
    public static let haInterface = "network:router_ha_interface"
    /// An interface of an HA router: the same MAC and address on every member.
    public static let haReplicatedInterface = "network:ha_router_replicated_interface"

    /// Ports that the network itself made: trusted, without security groups.
    public static func isNetworkOwned(_ owner: String) -> Bool { owner.hasPrefix("network:") }

    /// An interface of a router on an internal network, standalone or HA.
    public static func isRouterInterface(_ owner: String) -> Bool {
        owner == routerInterface || owner == haReplicatedInterface
    }
}

/// A connection point on a network.
public struct Port: Sendable, Hashable {
    public var id: ResourceID
    public var projectID: String
    public var networkID: ResourceID
    public var name: String = ""
    public var isAdminStateUp: Bool = true
    public var status: ResourceStatus = .down
    public var mac: MACAddress
    public var fixedIPs: [FixedIP] = []
    public var deviceID: String = ""
    public var deviceOwner: String = ""
    public var securityGroupIDs: [ResourceID] = []
    public var isPortSecurityEnabled: Bool = true
    public var allowedAddressPairs: [AddressPair] = []
    public var extraDHCPOptions: [ExtraDHCPOption] = []
    /// The host that realises the port (`binding:host_id`); empty when unbound.
    public var hostID: String = ""
    /// `binding:vnic_type`.
    public var vnicType: String = "normal"
    /// `binding:vif_type`: `unbound`, `bridge`, `binding_failed`.
    public var vifType: String = "unbound"
    /// `binding:profile` as canonical JSON text of an object.
    public var bindingProfile: String = "{}"
    /// Bindings to other hosts, for live migration.
    public var inactiveBindings: [PortBinding] = []
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, networkID: ResourceID, mac: MACAddress) {
        self.id = id
        self.projectID = projectID
        self.networkID = networkID
        self.mac = mac
    }
}
