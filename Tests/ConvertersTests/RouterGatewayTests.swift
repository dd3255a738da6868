import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

/// The standalone router with a second gateway: port 14 on external network 5 (198.51.100.0/24).
func routerWithTwoGateways() -> HostRouter {
    var router = standaloneRouter()
    router.furtherGateways = [.init(port: routerPort(14, network: 5, "198.51.100.10/24", gateways: ["198.51.100.1"]))]
    return router
}

/// A floating IP on the second gateway.
func secondFloating(_ number: Int, _ address: String, to fixed: String) -> HostRouter.Floating {
    var floating = floating(number, address, to: fixed)
    floating.gatewayID = id(14)
    return floating
}

@Suite("Routers with several gateways")
struct RouterGatewayTests {
    private let first = device("qg-", 13)
    private let second = device("qg-", 14)
    private let everything = prefix("0.0.0.0/0")

    private func pieces(_ change: (inout HostRouter) -> Void = { _ in }) -> RouterPieces {
        var router = routerWithTwoGateways()
        change(&router)
        return RouterConverter.convert(router: router, settings: settings)
    }

    private func table(_ name: String, in pieces: RouterPieces) throws -> FirewallTable {
        try #require(pieces.configuration.firewall.first { $0.name == name })
    }

    /// The number of each gateway's table.
    private func numbers(in pieces: RouterPieces) -> [String: UInt32] {
        let rest = pieces.configuration.routes.filter { $0.table != Route.mainTable }
        return Dictionary(rest.map { ($0.link, $0.table) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("Each gateway has a device with its addresses and the floating IPs of its network")
    func devices() {
        let configuration = pieces { router in
            router.floatingIPs = [floating(50, "203.0.113.50", to: "10.0.0.5"), secondFloating(51, "198.51.100.50", to: "10.0.0.6")]
        }.configuration
        #expect(configuration.links.keys.filter { $0.hasPrefix("qg-") }.sorted() == [first, second].sorted())
        func addresses(_ link: String) -> Set<String> {
            Set(configuration.addresses.filter { $0.link == link }.map(\.address.description))
        }
        #expect(addresses(first) == ["203.0.113.10/24", "203.0.113.50/32"])
        #expect(addresses(second) == ["198.51.100.10/24", "198.51.100.50/32"])
        #expect(configuration.managesAddresses.isSuperset(of: [first, second]))
    }

    @Test("The first gateway has the default route, and each its own in a table that marked packets are routed by")
    func routes() throws {
        let pieces = pieces()
        let numbers = numbers(in: pieces)
        let (a, b) = (try #require(numbers[first]), try #require(numbers[second]))
        #expect(a != b && min(a, b) > 255)
        func route(_ gateway: String, _ link: String, _ table: UInt32) -> Route {
            var route = Route(destination: everything, gateway: ip(gateway), link: link)
            route.table = table
            return route
        }
        #expect(
            pieces.configuration.routes == [
                route("203.0.113.1", first, Route.mainTable), route("203.0.113.1", first, a), route("198.51.100.1", second, b),
            ])
        #expect(
            pieces.configuration.rules == [
                RoutingRule(version: .v4, priority: 30_000, table: Route.mainTable, ignoresDefaultRoutes: true),
                RoutingRule(version: .v4, priority: 30_001, mark: a, table: a),
                RoutingRule(version: .v4, priority: 30_001, mark: b, table: b),
            ])
        let table = try table("neutrino_gateways", in: pieces)
        #expect(table.sets["numbers"]?.elements == ["\"\(first)\" : \(a)", "\"\(second)\" : \(b)"])
        // Another order is another default route, and nothing else: connections keep their marks.
        let swapped = self.pieces { router in
            let first = router.gateway
            router.gateway = router.furtherGateways?.first?.port
            router.furtherGateways = first.map { [HostRouter.FurtherGateway(port: $0)] }
        }
        #expect(self.numbers(in: swapped) == numbers && swapped.configuration.rules == pieces.configuration.rules)
        #expect(swapped.configuration.routes.contains(route("198.51.100.1", second, Route.mainTable)))
    }

    @Test("A shared default route has all gateways as next hops, and an owner's route to everything wins over it")
    func sharedDefaultRoute() {
        let shared = pieces { $0.sharesDefaultRoute = true }.configuration.routes.filter { $0.table == Route.mainTable }
        let hops = [Route.NextHop(gateway: ip("203.0.113.1"), link: first), Route.NextHop(gateway: ip("198.51.100.1"), link: second)]
        #expect(shared == [Route(destination: everything, nextHops: hops)])
        let own = pieces { router in
            router.sharesDefaultRoute = true
            router.routes = [StaticRoute(destination: everything, nextHop: ip("10.0.0.9"))]
        }.configuration.routes.filter { $0.table == Route.mainTable }
        #expect(own == [Route(destination: everything, gateway: ip("10.0.0.9"), link: device("qr-", 11))])
    }

    @Test("What leaves by a gateway becomes its floating IP or its address, and answers are marked with where they came in")
    func translation() throws {
        let pieces = pieces { router in
            router.floatingIPs = [
                floating(50, "203.0.113.50", to: "10.0.0.5"), secondFloating(51, "198.51.100.50", to: "10.0.0.5"),
                secondFloating(52, "198.51.100.51", to: "10.0.0.6"),
            ]
            router.furtherGateways?[0].isSNATEnabled = false
        }
        let nat = try table("neutrino_nat", in: pieces)
        let suffix = id(14).devicePart.filter { $0 != "-" }
        #expect(nat.sets["fixed_to_floating"]?.elements == ["10.0.0.5 : 203.0.113.50"])
        #expect(nat.sets["fixed_to_floating_\(suffix)"]?.elements == ["10.0.0.5 : 198.51.100.50", "10.0.0.6 : 198.51.100.51"])
        #expect(nat.sets["floating_to_fixed"]?.elements.count == 3)
        let rules = try #require(nat.chains["postrouting"]?.rules)
        #expect(rules.first == "iifname { \"\(first)\", \"\(second)\" } oifname != { \"\(first)\", \"\(second)\" } accept")
        #expect(rules.contains("oifname \"\(first)\" snat to 203.0.113.10 fully-random"))
        #expect(!rules.contains { $0.contains("snat to 198.51.100.10") })
        let numbers = numbers(in: pieces)
        let marks = try table("neutrino_gateways", in: pieces)
        // Of two floating IPs the first gateway's.
        #expect(marks.sets["floating"]?.elements == ["10.0.0.5 : \(numbers[first] ?? 0)", "10.0.0.6 : \(numbers[second] ?? 0)"])
    }

    @Test("A router with one gateway, or one that is up, has no marks, rules or further tables")
    func singleGateway() throws {
        let single = RouterConverter.convert(router: standaloneRouter(), settings: settings)
        let down = pieces { $0.furtherGateways?[0].port.isAdminStateUp = false }
        for pieces in [single, down] {
            #expect(pieces.configuration.rules.isEmpty)
            #expect(pieces.configuration.routes.allSatisfy { $0.table == Route.mainTable })
            #expect(!pieces.configuration.firewall.contains { $0.name == "neutrino_gateways" })
        }
        #expect(try table("neutrino_nat", in: down) == table("neutrino_nat", in: single))
    }

    @Test("keepalived of an HA router has the routes of every table; the rules are there on every member")
    func redundancy() throws {
        var router = redundantRouter(member: 1)
        router.furtherGateways = routerWithTwoGateways().furtherGateways
        let pieces = RouterConverter.convert(router: router, settings: settings)
        let number = try #require(numbers(in: self.pieces())[second])
        let text = try #require(pieces.daemons.first { $0.key.hasPrefix("keepalived/") }?.files.first?.contents)
        #expect(text.contains("        0.0.0.0/0 via 203.0.113.1 dev \(first)\n"))
        #expect(text.contains("        0.0.0.0/0 via 198.51.100.1 dev \(second) table \(number)\n"))
        #expect(text.contains("198.51.100.10/24 dev \(second)\n"))
        #expect(pieces.configuration.rules.count == 3 && pieces.configuration.routes.isEmpty)
    }

    @Test("IPv6 has tables and rules of its own, and each family's default route is that of the first gateway that has one")
    func ipv6() {
        let configuration = pieces { router in
            router.furtherGateways?[0].port = routerPort(
                14, network: 5, "198.51.100.10/24", "2001:db8:5::10/64", gateways: ["198.51.100.1", "2001:db8:5::1"])
        }.configuration
        let hop = Route(destination: prefix("::/0"), gateway: ip("2001:db8:5::1"), link: second)
        #expect(configuration.routes.contains(hop))
        #expect(configuration.rules.count { $0.version == .v6 } == 3)
    }

    @Test("Each gateway has its own limits and its own address scope")
    func limitsAndScopes() throws {
        let pieces = pieces { router in
            let limit = HostRouter.RateLimits(egress: .init(kilobitsPerSecond: 1000, burstKilobits: 0))
            router.furtherGateways?[0].limits = limit
            router.furtherGateways?[0].port.scope4 = id(700)
            router.interfaces[0].scope4 = id(700)
        }
        let limits = try table("neutrino_limits", in: pieces)
        let rules = try #require(limits.chains["egress"]?.rules)
        #expect(rules.contains { $0.hasPrefix("oifname \"\(second)\" limit rate over") } && !rules.contains { $0.hasPrefix("limit") })
        let nat = try table("neutrino_nat", in: pieces)
        #expect(nat.sets["routed"]?.elements.isEmpty == true)
        #expect(nat.sets["routed_\(id(14).devicePart.filter { $0 != "-" })"]?.elements == ["\"\(device("qr-", 11))\""])
    }

    @Test("A gateway that goes takes the connections along that it translates; another order of gateways takes none")
    func flushes() {
        let two = routerWithTwoGateways()
        #expect(ConntrackFlush(from: two, to: standaloneRouter()).addresses == [ip("198.51.100.10")])
        var swapped = two
        swapped.gateway = two.furtherGateways?.first?.port
        swapped.furtherGateways = two.gateway.map { [.init(port: $0)] }
        #expect(ConntrackFlush(from: two, to: swapped).addresses.isEmpty)
        let line = "udp 17 29 src=10.0.0.6 dst=192.0.2.9 sport=1 dport=2 src=192.0.2.9 dst=198.51.100.10 sport=2 dport=1 use=1\n"
        #expect(StaleConnections.deletions(line, for: two).isEmpty)
        #expect(StaleConnections.deletions(line, for: standaloneRouter()).count == 1)
    }
}
