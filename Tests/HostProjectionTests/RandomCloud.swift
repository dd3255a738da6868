import Addressing
import HostProjection
import NetworkModel

/// SplitMix64: the same seed gives the same cloud on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A small cloud that changes at random. Identities are few, so that rows refer to each other often, and nothing keeps a row from
/// referring to one that is not there: the projection must hold on any order of changes.
struct RandomCloud {
    static let hosts = ["h1", "h2", "h3", "h4"]
    static let counts = (
        networks: 4, subnets: 6, ports: 18, routers: 3, floatingIPs: 3, groups: 4, rules: 8, agents: 3, policies: 2, addresses: 3
    )

    private(set) var rows: [TopologyChange.Key: TopologyChange.Row] = [:]
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// One to four changes, applied to `rows` as well.
    mutating func step() -> [TopologyChange] {
        (0..<Int.random(in: 1...4, using: &random)).map { _ in
            let row = randomRow()
            guard isGone(row) else {
                rows[row.key] = row
                return .put(row)
            }
            rows[row.key] = nil
            return .drop(row.key)
        }
    }

    private mutating func isGone(_ row: TopologyChange.Row) -> Bool {
        // Few members, so that routers with one, which are standalone in full, are frequent.
        if case .routerMember = row { return !oneIn(3) }
        return oneIn(4)
    }

    /// The rows in an order that differs from call to call.
    mutating func shuffledRows() -> [TopologyChange.Row] { rows.values.shuffled(using: &random) }

    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    mutating func number(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    private mutating func anyHost() -> String { Self.hosts[number(Self.hosts.count)] }

    private mutating func randomRow() -> TopologyChange.Row {
        switch number(24) {
        case 0: randomNetwork()
        case 1, 2: randomSubnet()
        case 3...10: randomPort()
        case 11: randomRouter()
        case 12, 13: randomMember()
        case 14: randomFloatingIP()
        case 15: group(number(Self.counts.groups))
        case 16, 17: randomRule()
        case 20: randomPolicy()
        case 21, 22: addressGroup(number(Self.counts.addresses), number(3))
        case 18: host(anyHost(), tunnel: oneIn(4) ? nil : "10.9.0.\(number(5))")
        case 19: agent(number(Self.counts.agents), type: oneIn(3) ? .dhcp : .l3, isAdminStateUp: oneIn(2), servesMetadata: oneIn(2))
        default: dhcp(number(Self.counts.networks), on: anyHost())
        }
    }

    private mutating func randomNetwork() -> TopologyChange.Row {
        let type: NetworkType = oneIn(4) ? .flat : .vxlan
        let mtu = 1400 + number(2)
        let listed = [number(Self.counts.subnets), number(Self.counts.subnets)]
        let hasSegment = !oneIn(8)
        let scope = oneIn(2) ? nil : scopeID(number(2))
        let domain = oneIn(3) ? "net.example." : ""
        let policy = oneIn(2) ? nil : policyID(number(Self.counts.policies))
        return network(number(Self.counts.networks), type: type) {
            $0.mtu = mtu
            if mtu == 1400 { $0.ipv4AddressScopeID = scope } else { $0.ipv6AddressScopeID = scope }
            $0.subnetIDs = listed.map(subnetID)
            $0.dnsDomain = domain
            $0.qosPolicyID = policy
            if !hasSegment { $0.segmentationID = nil }
        }
    }

    private mutating func randomSubnet() -> TopologyChange.Row {
        let id = number(Self.counts.subnets)
        let isDHCPEnabled = !oneIn(3)
        let hasGateway = !oneIn(3)
        let dns = oneIn(2) ? [address(id == 5 ? "2001:db8::53" : "8.8.8.8")] : []
        let length = oneIn(6) ? 25 : 24
        let mode: IPv6Mode? = id < 5 ? nil : [IPv6Mode.slaac, .stateful, .stateless, nil][number(4)]
        // A subnet stays on its network, but for a rare one that is made anew elsewhere.
        let network = oneIn(10) ? number(Self.counts.networks) : id % Self.counts.networks
        return subnet(id, on: network, id == 5 ? "fd00:5::/64" : "10.0.\(id).0/\(length)") {
            $0.isDHCPEnabled = isDHCPEnabled
            $0.dnsNameservers = dns
            $0.ipv6RouterAdvertisementMode = mode
            $0.ipv6AddressMode = mode
            if !hasGateway { $0.gatewayAddress = nil }
        }
    }

    private mutating func randomPort() -> TopologyChange.Row {
        let id = number(Self.counts.ports)
        let onNetwork = oneIn(10) ? number(Self.counts.networks) : id % Self.counts.networks
        let owner: String
        var device = ""
        switch number(14) {
        case 0: owner = DeviceOwner.dhcp
        case 1: owner = DeviceOwner.floatingIP
        case 2: owner = DeviceOwner.haInterface
        case 3, 4: owner = DeviceOwner.routerInterface
        case 5: owner = DeviceOwner.haReplicatedInterface
        case 6: owner = DeviceOwner.routerGateway
        case 7: owner = oneIn(2) ? "network:elsewhere" : ""
        default: owner = "compute:nova"
        }
        let isRecorded = !oneIn(6)
        if DeviceOwner.isNetworkOwned(owner), !oneIn(10) { device = routerID(number(Self.counts.routers)).description }
        let addresses = (0..<number(3)).map { _ in
            let subnet = number(Self.counts.subnets)
            return (subnet, subnet == 5 ? "fd00:5::\(10 + id)" : "10.0.\(subnet).\(10 + id)")
        }
        let isUp = !oneIn(6)
        let pairs = oneIn(6) ? [AddressPair(prefix: prefix("192.168.\(number(3)).0/24"), mac: .broadcast)] : []
        let revision = number(3)
        let domain = oneIn(3) ? "port.example." : ""
        let options = oneIn(3) ? [ExtraDHCPOption(name: "bootfile-name", value: "boot")] : []
        let groups = (0..<number(3)).map { _ in number(Self.counts.groups) }
        let host = oneIn(4) ? "" : anyHost()
        let destination = anyHost()
        let isMigrating = owner == "compute:nova" && !host.isEmpty && destination != host && oneIn(3)
        let policy = oneIn(2) ? nil : policyID(number(Self.counts.policies))
        let profile = oneIn(2) ? "{}" : #"{"neutrino:instance": {"hostname": "vm\#(number(3))"}}"#
        let vifType = oneIn(3) ? VIFType.unbound : VIFType.bridge
        return port(
            id, on: onNetwork, host: host, owner: owner, device: device, addresses: addresses, groups: groups
        ) {
            if !isRecorded { $0.attachedRouterID = nil }
            $0.isAdminStateUp = isUp
            $0.allowedAddressPairs = pairs
            if isMigrating { $0.inactiveBindings = [PortBinding(hostID: destination, vifType: vifType)] }
            $0.standard.revisionNumber = revision
            $0.dnsDomain = domain
            $0.qosPolicyID = policy
            $0.extraDHCPOptions = options
            $0.bindingProfile = profile
        }
    }

    private mutating func randomRouter() -> TopologyChange.Row {
        let isHighlyAvailable = oneIn(2)
        let group = oneIn(4) ? nil : 1 + number(3)
        let isUp = !oneIn(4)
        let hasRoute = oneIn(3)
        let helpers = oneIn(3) ? [helper(1, "ftp", "tcp", 21 + number(2))] : []
        let policy = oneIn(3) ? nil : policyID(number(Self.counts.policies))
        let hasGateway = !oneIn(4)
        let gatewayPort = somePort(ownedBy: DeviceOwner.routerGateway)
        let furtherPort = somePort(ownedBy: DeviceOwner.routerGateway)
        let further = oneIn(2) ? nil : (network: number(2), port: furtherPort)
        let sharesDefaultRoute = oneIn(4)
        return router(number(Self.counts.routers)) {
            $0.isHighlyAvailable = isHighlyAvailable
            $0.virtualRouterID = group
            $0.isAdminStateUp = isUp
            $0.helpers = helpers
            if hasGateway { $0.gateway = ExternalGateway(networkID: networkID(0), portID: gatewayPort, qosPolicyID: policy) }
            if hasGateway, let further {
                $0.furtherGateways = [
                    ExternalGateway(
                        networkID: networkID(further.network), portID: further.port, isSNATEnabled: false, qosPolicyID: policy)
                ]
            }
            $0.sharesDefaultRoute = sharesDefaultRoute
            if hasRoute { $0.routes = [StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: address("10.0.0.7"))] }
        }
    }

    private mutating func randomMember() -> TopologyChange.Row {
        var row = RouterMember(
            routerID: routerID(number(Self.counts.routers)), agentID: agentID(number(Self.counts.agents)), hostID: anyHost())
        if !oneIn(3) { row.haPortID = somePort(ownedBy: DeviceOwner.haInterface) }
        row.priority = 100 + number(2)
        row.state = oneIn(2) ? .active : .standby
        return .routerMember(row)
    }

    /// One that is there, more often than not.
    private mutating func somePort(ownedBy owner: String) -> ResourceID {
        let ports = rows.values.compactMap { row -> ResourceID? in
            guard case .port(let port) = row, port.deviceOwner == owner else { return nil }
            return port.id
        }
        return ports.isEmpty ? portID(number(Self.counts.ports)) : ports.sorted()[number(ports.count)]
    }

    private mutating func randomFloatingIP() -> TopologyChange.Row {
        let id = number(Self.counts.floatingIPs)
        let isBound = !oneIn(3)
        let forwardings = (0..<number(3)).map {
            forwarding(10 * id + $0, "tcp", (80 + $0, 80 + $0), to: "10.0.0.\(number(4))", (8080, 8080))
        }
        return floatingIP(
            id, "203.0.113.\(id)", port: isBound ? number(Self.counts.ports) : nil, fixed: isBound ? "10.0.0.\(number(4))" : nil,
            router: oneIn(4) ? nil : number(Self.counts.routers), policy: oneIn(3) ? nil : number(Self.counts.policies)
        ) { row in
            if !isBound { row.portForwardings = forwardings }
        }
    }

    private mutating func randomPolicy() -> TopologyChange.Row {
        policy(
            number(Self.counts.policies), ingress: oneIn(2) ? nil : number(3) * 1000, egress: oneIn(2) ? nil : number(3) * 1000,
            burst: number(2), packets: oneIn(2) ? nil : number(3), mark: oneIn(2) ? nil : 46)
    }

    private mutating func randomRule() -> TopologyChange.Row {
        let remote = oneIn(3) ? nil : number(Self.counts.groups)
        let addresses = remote == nil || oneIn(3) ? number(Self.counts.addresses) : nil
        let networkProtocol = ["tcp", "icmp", nil, "nonsense"][number(4)]
        return rule(number(Self.counts.rules), of: number(Self.counts.groups)) {
            $0.remoteGroupID = remote.map(groupID)
            $0.remoteAddressGroupID = addresses.map(addressGroupID)
            $0.networkProtocol = networkProtocol
        }
    }
}
