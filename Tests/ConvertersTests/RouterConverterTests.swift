import Addressing
import Converters
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@Suite("Routers")
struct RouterConverterTests {
    private let qr = device("qr-", 11)
    private let qg = device("qg-", 13)

    private func convert(_ router: HostRouter) -> RouterPieces { RouterConverter.convert(router: router, settings: settings) }

    private func linkAddress(_ text: String, _ link: String) -> LinkAddress { LinkAddress(link: link, address: interfaceAddress(text)) }

    private func keepalived(_ router: HostRouter) throws -> String {
        try #require(convert(router).daemons.first?.files.first).contents
    }

    @Test("Each port is a veth pair: qr- or qg- with the port's MAC in the namespace, tap in the bridge of the port's network")
    func links() throws {
        let pieces = convert(standaloneRouter())
        #expect(pieces.namespace.description == "qrouter-\(routerID)")
        #expect(pieces.configuration.links.keys.sorted() == [qg, qr, device("qr-", 12)])
        #expect(
            pieces.configuration.links[qg]
                == Link(name: qg, kind: .veth(peer: tap(13), peerNamespace: nil), mac: mac(13), mtu: 1450, alias: "neutrino:router"))
        #expect(
            pieces.hostLinks.first { $0.name == tap(13) }
                == Link(
                    name: tap(13), kind: .veth(peer: qg, peerNamespace: pieces.namespace), mtu: 1450, bridge: "brq" + id(3).devicePart,
                    alias: "neutrino:router"))
        #expect(pieces.hostLinks.map(\.name) == [tap(11), tap(12), tap(13)])
    }

    @Test("A standalone router's addresses and routes are the agent's, floating IPs as host addresses of qg-")
    func standalone() {
        let configuration = convert(standaloneRouter(floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5")])).configuration
        #expect(
            configuration.addresses == [
                linkAddress("10.0.0.1/24", qr), linkAddress("10.0.2.1/24", device("qr-", 12)), linkAddress("203.0.113.10/24", qg),
                linkAddress("203.0.113.50/32", qg),
            ])
        #expect(configuration.managesAddresses == [qr, device("qr-", 12), qg])
        #expect(configuration.routes == [Route(destination: prefix("0.0.0.0/0"), gateway: ip("203.0.113.1"), link: qg)])
        #expect(convert(standaloneRouter()).daemons.isEmpty)
    }

    @Test("An HA router's addresses and routes are keepalived's; the agent adds its own to ha- and manages none")
    func redundant() throws {
        let router = redundantRouter(member: 1, floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5")])
        let pieces = convert(router)
        let ha = device("ha-", 21)
        #expect(pieces.configuration.links.keys.contains(ha))
        #expect(pieces.configuration.addresses == [linkAddress("169.254.192.1/18", ha)])
        #expect(pieces.configuration.managesAddresses.isEmpty)
        #expect(pieces.configuration.routes.isEmpty)
        let text = try keepalived(router)
        for line in [
            "interface \(ha)", "virtual_router_id 5", "priority 200", "advert_int 1", "unicast_src_ip 169.254.192.1",
            "169.254.0.5/24 dev \(ha)",
            "10.0.0.1/24 dev \(qr)", "203.0.113.10/24 dev \(qg)", "203.0.113.50/32 dev \(qg)", "0.0.0.0/0 via 203.0.113.1 dev \(qg)",
            "vrrp_notify_fifo /state/ha_confs/\(routerID)/notify.fifo",
        ] {
            #expect(text.contains(line + "\n"))
        }
        #expect(pieces.configuration.neighbours == [Neighbour(address: ip("169.254.192.2"), mac: mac(22), link: ha)])
        let daemon = try #require(pieces.daemons.first)
        #expect(daemon.namespace == pieces.namespace)
        #expect(daemon.processIDFile == "/state/ha_confs/\(routerID).pid")
    }

    @Test("Members of a group differ in keepalived's configuration only by their ha- device and whom they speak to")
    func members() throws {
        func text(_ member: Int) throws -> String {
            try keepalived(redundantRouter(member: member)).replacing(device("ha-", 20 + member), with: "ha")
                .replacing("unicast_src_ip 169.254.192.\(member)\n", with: "unicast_src_ip own\n")
                .replacing("        169.254.192.\(3 - member)\n", with: "        other\n")
        }
        #expect(try text(1) == text(2))
        #expect(try text(1).contains("unicast_peer {\n        other\n    }\n"))
    }

    @Test(
        "IPv6 is off where there are no IPv6 addresses, before any device is made; of an HA router it is keepalived's with link-local addresses"
    )
    func ipv6() throws {
        let disabled = ["net/ipv6/conf/default/disable_ipv6": "1", "net/ipv6/conf/all/disable_ipv6": "1"]
        func has(_ values: [String: String], _ router: HostRouter) -> Bool {
            let sysctls = convert(router).configuration.sysctls
            return values.allSatisfy { sysctls[$0.key] == $0.value }
        }
        #expect(has(disabled, standaloneRouter()))
        #expect(has(disabled, redundantRouter(member: 1)))
        var router = standaloneRouter()
        router.interfaces[0].addresses.append(interfaceAddress("2001:db8::1/64"))
        #expect(has(["net/ipv6/conf/all/forwarding": "1", "net/ipv6/conf/all/disable_ipv6": "0"], router))
        #expect(convert(router).configuration.addresses.contains(linkAddress("2001:db8::1/64", qr)))
        #expect(has(["net/ipv6/conf/default/addr_gen_mode": "0"], router))
        router.redundancy = redundantRouter(member: 1).redundancy
        #expect(has(["net/ipv6/conf/default/addr_gen_mode": "1", "net/ipv6/conf/all/disable_ipv6": "0"], router))
        #expect(convert(router).configuration.addresses == [linkAddress("169.254.192.1/18", device("ha-", 21))])
        let text = try keepalived(router)
        // The external network has no gateway of IPv6: the router hears of one by advertisements, and speaks to it from a link-local address.
        let linkLocal = "fe80::f816:3eff:fe00:b/64 dev \(qr) -nodad\n        fe80::f816:3eff:fe00:d/64 dev \(qg) -nodad\n"
        #expect(text.contains("\(linkLocal)        10.0.0.1/24"))
        #expect(text.contains("2001:db8::1/64 dev \(qr) -nodad\n"))
        #expect(!text.contains("fe80::f816:3eff:fe00:c"))
        #expect(has(["net/ipv6/conf/\(qg)/accept_ra": "2", "net/ipv6/conf/\(qg)/accept_ra_pinfo": "0"], router))
        #expect(has(["net/ipv6/conf/\(qg)/accept_ra_mtu": "0"], router))
        router.gateway?.gateways.append(ip("2001:db8:ff::1"))
        #expect(has(["net/ipv6/conf/\(qg)/accept_ra": "0"], router))
        #expect(try !keepalived(router).contains("fe80::f816:3eff:fe00:d"))
    }

    @Test("What VRRP cannot say is a problem of the router, and has no keepalived", arguments: 0..<9)
    func unspeakable(number: Int) {
        var router = redundantRouter(member: 1)
        switch number {
        case 0: router.redundancy?.virtualRouterID = 0
        case 1: router.redundancy?.virtualRouterID = 256
        case 2: router.redundancy?.priority = 255
        case 3: router.redundancy?.priority = -1
        case 4: router.redundancy?.vrrpVersion = 4
        case 5: router.redundancy?.password = "longer than eight"
        case 6: router.redundancy?.password = "pässword"
        case 7: router.redundancy?.password = "a\n}"
        default: router.redundancy?.advertisementIntervalMilliseconds = 0
        }
        let pieces = RouterConverter.convert(router: router, settings: settings)
        #expect(pieces.problems.count == 1)
        #expect(!pieces.daemons.contains { $0.key.hasPrefix("keepalived/") })
        #expect(RouterConverter.convert(router: redundantRouter(member: 1), settings: settings).problems.isEmpty)
    }

    @Test("A router that is administratively down is a namespace that forwards nothing", arguments: [false, true])
    func down(isRedundant: Bool) {
        var router = isRedundant ? redundantRouter(member: 1) : standaloneRouter()
        router.isAdminStateUp = false
        let pieces = convert(router)
        var expected = RouterPieces(namespace: RouterConverter.namespace(of: routerID))
        expected.configuration.sysctls = ["net/ipv4/ip_forward": "0"]
        #expect(pieces == expected)
    }

    @Test("A port that is administratively down has a device that is down, without addresses, so that keepalived sees no fault")
    func portDown() throws {
        var router = redundantRouter(member: 1)
        router.interfaces[0].isAdminStateUp = false
        #expect(convert(router).configuration.links[qr]?.isUp == false)
        #expect(try !keepalived(router).contains(qr))
    }

    @Test("Extra routes leave by the device that their next hop is on the link with, those with one destination as one")
    func extraRoutes() {
        var router = standaloneRouter()
        router.routes = [
            StaticRoute(destination: prefix("172.16.0.0/16"), nextHop: ip("10.0.2.9")),
            StaticRoute(destination: prefix("172.17.0.0/16"), nextHop: ip("192.0.2.9")),
            StaticRoute(destination: prefix("172.18.0.0/16"), nextHop: ip("10.0.0.9")),
            StaticRoute(destination: prefix("172.18.0.0/16"), nextHop: ip("10.0.0.8")),
            StaticRoute(destination: prefix("2001:db8::/32"), nextHop: ip("10.0.0.8")),
        ]
        #expect(
            convert(router).configuration.routes == [
                Route(destination: prefix("0.0.0.0/0"), gateway: ip("203.0.113.1"), link: qg),
                Route(destination: prefix("172.16.0.0/16"), gateway: ip("10.0.2.9"), link: device("qr-", 12)),
                Route(
                    destination: prefix("172.18.0.0/16"),
                    nextHops: [.init(gateway: ip("10.0.0.8"), link: qr), .init(gateway: ip("10.0.0.9"), link: qr)]),
            ])
    }

    @Test("An extra default route replaces that of the gateway, and a gateway outside of its subnet gets a route of its own")
    func defaultRoutes() {
        var router = standaloneRouter()
        router.routes = [StaticRoute(destination: prefix("0.0.0.0/0"), nextHop: ip("10.0.0.9"))]
        #expect(convert(router).configuration.routes == [Route(destination: prefix("0.0.0.0/0"), gateway: ip("10.0.0.9"), link: qr)])
        router = standaloneRouter()
        router.gateway?.gateways = [ip("198.51.100.1")]
        #expect(
            convert(router).configuration.routes == [
                Route(destination: prefix("198.51.100.1/32"), link: qg),
                Route(destination: prefix("0.0.0.0/0"), gateway: ip("198.51.100.1"), link: qg),
            ])
    }

    @Test("A floating IP is one element of each map and leaves the rules alone")
    func maps() throws {
        let before = try #require(convert(standaloneRouter()).configuration.firewall.first)
        let router = standaloneRouter(floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5")])
        let after = try #require(convert(router).configuration.firewall.first)
        #expect(before.name == "neutrino_nat")
        #expect(before.chains == after.chains)
        #expect(before.sets.values.allSatisfy { $0.elements.isEmpty })
        #expect(after.sets["floating_to_fixed"]?.elements == ["203.0.113.50 : 10.0.0.5"])
        #expect(after.sets["fixed_to_floating"]?.elements == ["10.0.0.5 : 203.0.113.50"])
    }

    @Test("Two floating IPs of one fixed address both lead to it, and the first speaks for it")
    func sharedFixedAddress() throws {
        let router = standaloneRouter(
            floatingIPs: [floating(50, "203.0.113.50", to: "10.0.0.5"), floating(51, "203.0.113.51", to: "10.0.0.5")])
        let table = try #require(convert(router).configuration.firewall.first)
        #expect(table.sets["floating_to_fixed"]?.elements.count == 2)
        #expect(table.sets["fixed_to_floating"]?.elements == ["10.0.0.5 : 203.0.113.50"])
    }

    @Test("Without gateway there is no translation, and without source translation only that of floating IPs")
    func translation() throws {
        var router = standaloneRouter()
        router.gateway = nil
        #expect(convert(router).configuration.firewall.isEmpty)
        let rules = try #require(convert(standaloneRouter(isSNATEnabled: false)).configuration.firewall.first?.chains["postrouting"]?.rules)
        #expect(!rules.contains { $0.hasPrefix("oifname") && $0.contains("203.0.113.10") })
        #expect(
            convert(standaloneRouter()).configuration.firewall.first?.chains["postrouting"]?.rules.contains(
                "oifname \"\(qg)\" snat to 203.0.113.10 fully-random") == true)
        #expect(
            convert(redundantRouter(member: 1)).configuration.firewall.first?.chains["postrouting"]?.rules.contains(
                "oifname \"\(qg)\" snat to 203.0.113.10") == true)
    }
}

@Suite("Who has a router's addresses")
struct RouterOwnershipTests {
    private let router = redundantRouter(member: 1)
    private let ha = device("ha-", 21)

    private func addresses(_ pairs: (String, String)...) -> Set<LinkAddress> {
        Set(pairs.map { LinkAddress(link: $0.1, address: interfaceAddress($0.0)) })
    }

    @Test("The member with the group's primary address on ha- is active, any other standby")
    func state() {
        #expect(RouterOwnership.state(of: router, addresses: addresses(("169.254.192.1/18", ha), ("169.254.0.5/24", ha))) == .active)
        #expect(RouterOwnership.state(of: router, addresses: addresses(("169.254.192.1/18", ha))) == .standby)
        #expect(RouterOwnership.state(of: router, addresses: addresses(("169.254.0.6/24", ha))) == .standby)
        #expect(RouterOwnership.state(of: router, addresses: addresses(("169.254.0.5/24", device("qr-", 11)))) == .standby)
        #expect(RouterOwnership.state(of: standaloneRouter(), addresses: []) == nil)
    }

    @Test("Of a standby all addresses but its own on ha- are stale; of the master none")
    func stale() {
        let left = addresses(("10.0.0.1/24", device("qr-", 11)), ("203.0.113.50/32", device("qg-", 13)), ("169.254.0.4/24", ha))
        let fine = addresses(("169.254.192.1/18", ha), ("127.0.0.1/8", "lo"))
        #expect(RouterOwnership.staleAddresses(of: router, addresses: left.union(fine)) == left)
        #expect(RouterOwnership.staleAddresses(of: router, addresses: left.union(fine).union(addresses(("169.254.0.5/24", ha)))).isEmpty)
        #expect(RouterOwnership.staleAddresses(of: standaloneRouter(), addresses: left).isEmpty)
    }

    @Test("keepalived's states are the API's and the state file's")
    func words() {
        #expect(HAState(.master) == .active)
        #expect(HAState(.fault) == .standby)
        #expect(HAState.active.stateFileText == "master")
        #expect(HAState.standby.stateFileText == "backup")
    }
}

@Suite("Connections that a change of a router ends")
struct ConntrackFlushTests {
    private let one = floating(50, "203.0.113.50", to: "10.0.0.5")

    private func flushed(_ old: HostRouter, _ new: HostRouter) -> [String] {
        ConntrackFlush(from: old, to: new).addresses.map(\.description)
    }

    @Test("A floating IP that was removed or leads elsewhere is flushed, one that was added or stayed is not")
    func floatingIPs() {
        let two = floating(51, "203.0.113.51", to: "10.0.0.6")
        let moved = floating(50, "203.0.113.50", to: "10.0.0.6")
        let before = standaloneRouter(floatingIPs: [one])
        #expect(flushed(before, standaloneRouter()) == ["203.0.113.50"])
        #expect(flushed(before, standaloneRouter(floatingIPs: [moved])) == ["203.0.113.50"])
        #expect(flushed(before, standaloneRouter(floatingIPs: [one, two])).isEmpty)
    }

    @Test("The gateway's address is flushed when it changes or when source translation ends; all go with the gateway")
    func gateway() {
        let before = standaloneRouter(floatingIPs: [one])
        var other = before
        other.gateway?.addresses = [interfaceAddress("203.0.113.11/24")]
        #expect(flushed(before, other) == ["203.0.113.10"])
        #expect(flushed(before, standaloneRouter(floatingIPs: [one], isSNATEnabled: false)) == ["203.0.113.10"])
        other.gateway = nil
        #expect(flushed(before, other) == ["203.0.113.10", "203.0.113.50"])
        other = before
        other.isAdminStateUp = false
        #expect(flushed(before, other) == ["203.0.113.10", "203.0.113.50"])
    }

    @Test("Each address costs two commands: connections to it, and connections from it")
    func commands() {
        #expect(
            ConntrackFlush(from: standaloneRouter(floatingIPs: [one]), to: standaloneRouter()).commands == [
                ["conntrack", "-D", "-d", "203.0.113.50"], ["conntrack", "-D", "-q", "203.0.113.50"],
            ])
    }
}
