import Addressing
import HostModel
import HostProjection
import NetworkModel

// Rows for tests, with identities that can be read in failures: …0001 is network 1, and so on.

func identity(_ kind: Int, _ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(kind) << 96 | UInt128(number)) }
func networkID(_ number: Int) -> ResourceID { identity(1, number) }
func subnetID(_ number: Int) -> ResourceID { identity(2, number) }
func portID(_ number: Int) -> ResourceID { identity(3, number) }
func routerID(_ number: Int) -> ResourceID { identity(4, number) }
func floatingID(_ number: Int) -> ResourceID { identity(5, number) }
func groupID(_ number: Int) -> ResourceID { identity(6, number) }
func ruleID(_ number: Int) -> ResourceID { identity(7, number) }
func agentID(_ number: Int) -> ResourceID { identity(8, number) }
func policyID(_ number: Int) -> ResourceID { identity(9, number) }
func addressGroupID(_ number: Int) -> ResourceID { identity(11, number) }
func scopeID(_ number: Int) -> ResourceID { identity(10, number) }

/// For literals in tests.
func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("'\(text)' is not an address") }
    return address
}

func prefix(_ text: String) -> IPPrefix {
    guard let prefix = IPPrefix(text) else { preconditionFailure("'\(text)' is not a prefix") }
    return prefix
}

func interface(_ text: String) -> InterfaceAddress {
    guard let address = InterfaceAddress(text) else { preconditionFailure("'\(text)' is not an interface address") }
    return address
}

func network(_ number: Int, type: NetworkType = .vxlan, change: (inout Network) -> Void = { _ in }) -> TopologyChange.Row {
    var row = Network(id: networkID(number), projectID: "p")
    row.type = type
    row.mtu = type == .vxlan ? 1450 : 1500
    switch type {
    case .vxlan: row.segmentationID = 1000 + number
    case .vlan:
        row.segmentationID = 100 + number
        row.physicalNetwork = "physnet1"
    case .flat: row.physicalNetwork = "external"
    case .local: break
    }
    change(&row)
    return .network(row)
}

func subnet(_ number: Int, on network: Int, _ cidr: String, change: (inout Subnet) -> Void = { _ in }) -> TopologyChange.Row {
    var row = Subnet(id: subnetID(number), projectID: "p", networkID: networkID(network), prefix: prefix(cidr))
    row.gatewayAddress = row.prefix[1]
    change(&row)
    return .subnet(row)
}

/// An instance's port unless the owner says otherwise. A router's has its record.
func port(
    _ number: Int, on network: Int, host: String = "", owner: String = "compute:nova", device: String = "", addresses: [(Int, String)] = [],
    groups: [Int] = [], change: (inout Port) -> Void = { _ in }
) -> TopologyChange.Row {
    let mac = MACAddress(rawValue: 0xFA16_3E00_0000 + UInt64(number))
    var row = Port(id: portID(number), projectID: "p", networkID: networkID(network), mac: mac)
    row.hostID = host
    row.deviceOwner = owner
    row.deviceID = device
    if DeviceOwner.isRouterOwned(owner) { row.attachedRouterID = ResourceID(device) }
    row.fixedIPs = addresses.map { FixedIP(subnetID: subnetID($0.0), address: address($0.1)) }
    row.securityGroupIDs = groups.map(groupID)
    change(&row)
    return .port(row)
}

func router(_ number: Int, change: (inout Router) -> Void = { _ in }) -> TopologyChange.Row {
    var row = Router(id: routerID(number), projectID: "p")
    change(&row)
    return .router(row)
}

func member(_ router: Int, on host: String, haPort: Int? = nil, priority: Int = 200, agent: Int = 1) -> TopologyChange.Row {
    var row = RouterMember(routerID: routerID(router), agentID: agentID(agent), hostID: host, haPortID: haPort.map(portID))
    row.priority = priority
    return .routerMember(row)
}

func floatingIP(
    _ number: Int, _ text: String, port: Int? = nil, fixed: String? = nil, router: Int? = nil, policy: Int? = nil,
    change: (inout FloatingIP) -> Void = { _ in }
) -> TopologyChange.Row {
    var row = FloatingIP(
        id: floatingID(number), projectID: "p", floatingNetworkID: networkID(9), address: address(text),
        floatingPortID: portID(900 + number))
    row.portID = port.map(portID)
    row.fixedAddress = fixed.map { address($0) }
    row.routerID = router.map(routerID)
    row.qosPolicyID = policy.map(policyID)
    change(&row)
    return .floatingIP(row)
}

func forwarding(_ number: Int, _ networkProtocol: String, _ external: (Int, Int), to text: String, _ internalPorts: (Int, Int))
    -> FloatingIP.Forwarding
{
    guard let external = PortRange(external.0, external.1), let internalPorts = PortRange(internalPorts.0, internalPorts.1) else {
        preconditionFailure("ports are in order")
    }
    return FloatingIP.Forwarding(
        PortForwarding(
            id: identity(9, number), floatingIPID: floatingID(1), networkProtocol: networkProtocol, externalPorts: external,
            internalPortID: portID(1), internalAddress: address(text), internalPorts: internalPorts))
}

func helper(_ number: Int, _ name: String, _ networkProtocol: String, _ port: Int) -> Router.Helper {
    Router.Helper(
        ConnectionHelper(id: identity(10, number), routerID: routerID(1), helper: name, networkProtocol: networkProtocol, port: port))
}

/// Limits in kbit/s; those of packets are of what leaves.
func policy(
    _ number: Int, ingress: Int? = nil, egress: Int? = nil, burst: Int = 0, packets: Int? = nil, mark: Int? = nil
) -> TopologyChange.Row {
    var row = QoSPolicy(id: policyID(number), projectID: "p")
    for (direction, limit) in [(RuleDirection.ingress, ingress), (.egress, egress)] {
        guard let limit else { continue }
        var rule = BandwidthLimitRule(
            id: identity(90 + number, direction == .ingress ? 1 : 2), policyID: row.id, maximumKilobitsPerSecond: limit)
        rule.direction = direction
        rule.maximumBurstKilobits = burst
        row.rules.append(.bandwidthLimit(rule))
    }
    if let packets {
        let rule = PacketRateLimitRule(id: identity(90 + number, 3), policyID: row.id, maximumKilopacketsPerSecond: packets)
        row.rules.append(.packetRateLimit(rule))
    }
    if let mark { row.rules.append(.dscpMarking(DSCPMarkingRule(id: identity(90 + number, 4), policyID: row.id, mark: mark))) }
    return .qosPolicy(row)
}

func group(_ number: Int) -> TopologyChange.Row { .securityGroup(SecurityGroup(id: groupID(number), projectID: "p")) }

func rule(_ number: Int, of group: Int, change: (inout SecurityGroupRule) -> Void = { _ in }) -> TopologyChange.Row {
    var row = SecurityGroupRule(id: ruleID(number), projectID: "p", securityGroupID: groupID(group), direction: .ingress)
    change(&row)
    return .securityGroupRule(row)
}

func addressGroup(_ number: Int, _ last: Int) -> TopologyChange.Row {
    var row = AddressGroup(id: addressGroupID(number), projectID: "p")
    row.addresses = [prefix("198.51.100.\(last)/32")]
    return .addressGroup(row)
}

func host(_ id: String, tunnel: String?) -> TopologyChange.Row {
    var row = Host(id: id)
    row.tunnelAddress = tunnel
    return .host(row)
}

func agent(_ number: Int, type: AgentType = .l3, isAdminStateUp: Bool = true, servesMetadata: Bool = true) -> TopologyChange.Row {
    var row = Agent(id: agentID(number), type: type, hostID: "h\(number)")
    row.isAdminStateUp = isAdminStateUp
    row.configurations = #"{"serves_metadata":\#(servesMetadata)}"#
    return .agent(row)
}

func dhcp(_ network: Int, on host: String) -> TopologyChange.Row { .dhcpBinding(DHCPBinding(networkID: networkID(network), hostID: host)) }

/// Hosts h1, h2, h3 with tunnel endpoints 10.9.0.1, .2 and .3.
let threeHosts: [TopologyChange.Row] = (1...3).map { host("h\($0)", tunnel: "10.9.0.\($0)") }
