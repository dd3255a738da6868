import Addressing
import HostModel
import NetworkModel

let routerID = id(900)

/// A router's port with number `number` on network `network`, with the MAC of the number.
func routerPort(
    _ number: Int, network: Int, _ addresses: String..., gateways: [String] = [], isUp: Bool = true
) -> HostRouter.RouterPort {
    HostRouter.RouterPort(
        id: id(number), networkID: id(network), mac: mac(number), addresses: addresses.map(interfaceAddress), gateways: gateways.map(ip),
        mtu: 1450, isAdminStateUp: isUp)
}

func floating(_ number: Int, _ address: String, to fixed: String) -> HostRouter.Floating {
    HostRouter.Floating(id: id(number), address: ip(address), fixedAddress: ip(fixed))
}

/// Network 1 (10.0.0.0/24) behind port 11, network 2 (10.0.2.0/24) behind port 12, external network 3 (203.0.113.0/24) behind port 13.
func standaloneRouter(floatingIPs: [HostRouter.Floating] = [], isSNATEnabled: Bool = true) -> HostRouter {
    HostRouter(
        id: routerID, gateway: routerPort(13, network: 3, "203.0.113.10/24", gateways: ["203.0.113.1"]), isSNATEnabled: isSNATEnabled,
        interfaces: [routerPort(11, network: 1, "10.0.0.1/24"), routerPort(12, network: 2, "10.0.2.1/24")], floatingIPs: floatingIPs)
}

/// The same as member `member` (1, 2…) of group 5 with `members` members, with port 20 + member on HA network 4.
func redundantRouter(
    member: Int, of members: Int = 2, priority: Int = 200, replicatesConnections: Bool = false, floatingIPs: [HostRouter.Floating] = []
) -> HostRouter {
    var router = standaloneRouter(floatingIPs: floatingIPs)
    router.redundancy = .init(
        virtualRouterID: 5, priority: priority, port: routerPort(20 + member, network: 4, "169.254.192.\(member)/18"),
        peers: (1...members).filter { $0 != member }.map {
            .init(hostID: "host\($0)", address: ip("169.254.192.\($0)"), mac: mac(20 + $0), endpoint: nil, priority: 254)
        }, replicatesConnections: replicatesConnections)
    return router
}

func device(_ prefix: String, _ number: Int) -> String { prefix + id(number).devicePart }
