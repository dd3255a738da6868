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
    /// The prefix as its owner wrote it, with or without a length, perhaps with host bits: what clients compare with what they wish.
    public var text: String

    /// - Parameter text: nil: a host's prefix as an address, others in their canonical form.
    public init(prefix: IPPrefix, mac: MACAddress, text: String? = nil) {
        self.prefix = prefix
        self.mac = mac
        self.text = text ?? (prefix.length == prefix.version.addressBits ? prefix.address.description : prefix.description)
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

/// What an operator's tools say of a port's data plane.
public enum DataPlaneStatus: String, Sendable, Hashable {
    case active = "ACTIVE"
    case down = "DOWN"
}

/// When a port gets its addresses (`ip_allocation`).
public enum AddressAllocation: String, Sendable, Hashable {
    /// It was given them when it was made.
    case immediate
    /// It gets them when it is bound to a host, because only then it is known which subnets are there.
    case deferred
    /// It was made without any on purpose.
    case none
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

    /// The device of such a port is a router: its interfaces, gateways and HA ports, those of distributed routers included.
    public static func isRouterOwned(_ owner: String) -> Bool {
        owner.hasPrefix("network:router_") || owner.hasPrefix("network:ha_router_")
    }

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
    /// The name that the network's DNS answers with the port's addresses, in lower case; empty: one made of each address.
    public var dnsName: String = ""
    /// A further domain in which it does, with a full stop at the end; empty: the network's.
    public var dnsDomain: String = ""
    /// The domain that every network has, without full stops around it; not kept: whoever reads the row fills it in.
    public var defaultDomain: String = ""
    /// What somebody outside says of the way of the port's packets (`data_plane_status`); nil: nothing.
    public var dataPlaneStatus: DataPlaneStatus?
    public var addressAllocation: AddressAllocation = .immediate
    /// Kept for drivers of devices that tell instances of their links (`propagate_uplink_status`).
    public var propagatesUplinkStatus: Bool = true
    /// Kept for Nova: the accelerator that Cyborg shall attach.
    public var deviceProfile: String?
    /// Kept for Nova.
    public var numaAffinityPolicy: String?
    /// Rules for the port's traffic; nil: those of its network, except for ports of routers and services.
    public var qosPolicyID: ResourceID?
    /// The network's policy; not kept: whoever reads the row fills it in.
    public var networkQoSPolicyID: ResourceID?
    /// The router that has recorded the port as its interface or gateway, whatever `device_id` says, which clients may set; not kept: who reads rows
    /// for hosts fills it in.
    public var attachedRouterID: ResourceID?
    /// Wishes for particular drivers, as canonical JSON text of an object; nil: none.
    public var hints: String?
    public var standard = StandardAttributes()

    public init(id: ResourceID, projectID: String, networkID: ResourceID, mac: MACAddress) {
        self.id = id
        self.projectID = projectID
        self.networkID = networkID
        self.mac = mac
    }
}
