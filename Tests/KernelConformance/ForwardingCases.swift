import Addressing
import KernelInterface

extension KernelConformance {
    static let forwardingCases = [
        Case(description: "Addresses of both families come and go") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            let addresses = Set(
                try ["192.0.2.1/24", "192.0.2.2/24", "198.51.100.1/32", "2001:db8::1/64", "fe80::1/64"].map {
                    LinkAddress(link: "brq-one", address: try subject.interfaceAddress($0))
                })
            for address in addresses { try kernel.perform(.addAddress(address, subject.first)) }
            let found = try kernel.addresses(in: subject.first)
            try subject.expect(found == addresses, "found \(found)")
            try subject.expect(try kernel.addresses(in: subject.second).isEmpty, "addresses are in one namespace only")
            for address in addresses {
                try subject.expectRefusal(.addAddress(address, subject.first), code: ErrorCode.exists)
                try kernel.perform(.removeAddress(address, subject.first))
                try subject.expectRefusal(.removeAddress(address, subject.first))
            }
            try subject.expect(try kernel.addresses(in: subject.first).isEmpty, "all addresses are gone")
        },
        Case(description: "Routes of both families come, are replaced and go") { subject in
            let kernel = subject.kernel
            try subject.expect(try kernel.routes(in: subject.first).isEmpty, "a new namespace has no routes")
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            for text in ["192.0.2.1/24", "2001:db8::1/64"] {
                try kernel.perform(
                    .addAddress(LinkAddress(link: "brq-one", address: try subject.interfaceAddress(text)), subject.first))
            }
            try subject.expect(try kernel.routes(in: subject.first).isEmpty, "the kernel's connected routes are left out")
            let routes = [
                Route(destination: try subject.prefix("0.0.0.0/0"), gateway: try subject.address("192.0.2.254"), link: "brq-one"),
                Route(destination: try subject.prefix("::/0"), gateway: try subject.address("2001:db8::fe"), link: "brq-one"),
                Route(destination: try subject.prefix("198.51.100.0/25"), gateway: try subject.address("192.0.2.9"), link: "brq-one"),
                Route(destination: try subject.prefix("203.0.113.0/24"), link: "brq-one"),
                Route(destination: try subject.prefix("2001:db8:1::/48"), link: "brq-one"),
            ]
            for route in routes { try kernel.perform(.setRoute(route, subject.first)) }
            var expected = Set(routes)
            try subject.expect(try kernel.routes(in: subject.first) == expected, "found \(try kernel.routes(in: subject.first))")
            for (old, gateway) in [(routes[0], "192.0.2.253"), (routes[1], "2001:db8::fd")] {
                var new = old
                new.gateway = try subject.address(gateway)
                try kernel.perform(.setRoute(new, subject.first))
                expected.remove(old)
                expected.insert(new)
            }
            try subject.expect(try kernel.routes(in: subject.first) == expected, "found \(try kernel.routes(in: subject.first))")
            for route in expected {
                try kernel.perform(.removeRoute(route, subject.first))
                try subject.expectRefusal(.removeRoute(route, subject.first))
            }
            try subject.expect(try kernel.routes(in: subject.first).isEmpty, "all routes are gone")
        },
        Case(description: "A route with several next hops comes, takes the place of one with a single hop, gives it back and goes") {
            subject in
            let kernel = subject.kernel
            for (link, texts) in [("brq-one", ["192.0.2.1/24", "2001:db8::1/64"]), ("brq-two", ["198.51.100.1/24", "2001:db8:2::1/64"])] {
                try kernel.perform(.addLink(Link(name: link, kind: .bridge), subject.first))
                for text in texts {
                    try kernel.perform(.addAddress(LinkAddress(link: link, address: try subject.interfaceAddress(text)), subject.first))
                }
            }
            for (destination, first, second, third) in [
                ("203.0.113.0/24", "192.0.2.9", "192.0.2.10", "198.51.100.9"),
                ("2001:db8:9::/48", "2001:db8::9", "2001:db8::a", "2001:db8:2::9"),
            ] {
                let hops = [
                    Route.NextHop(gateway: try subject.address(first), link: "brq-one"),
                    Route.NextHop(gateway: try subject.address(second), link: "brq-one"),
                    Route.NextHop(gateway: try subject.address(third), link: "brq-two"),
                ]
                let steps = [[hops[0]], hops, [hops[2], hops[1]], [hops[1]], [hops[0], hops[2]]]
                for step in steps {
                    let route = Route(destination: try subject.prefix(destination), nextHops: step)
                    try kernel.perform(.setRoute(route, subject.first))
                    let found = try kernel.routes(in: subject.first)
                    try subject.expect(found == [route], "set \(route), found \(found)")
                }
                let last = Route(destination: try subject.prefix(destination), nextHops: [hops[0], hops[2]])
                try kernel.perform(.removeRoute(last, subject.first))
                try subject.expect(try kernel.routes(in: subject.first).isEmpty, "found \(try kernel.routes(in: subject.first))")
                try subject.expectRefusal(.removeRoute(last, subject.first))
            }
        },
        Case(description: "Routes of several tables, and the rules that lead to the tables, come, stand side by side and go") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            for text in ["192.0.2.1/24", "2001:db8::1/64"] {
                try kernel.perform(
                    .addAddress(LinkAddress(link: "brq-one", address: try subject.interfaceAddress(text)), subject.first))
            }
            var routes: Set<Route> = []
            for (destination, hops) in [("0.0.0.0/0", ["192.0.2.8", "192.0.2.9"]), ("::/0", ["2001:db8::8", "2001:db8::9"])] {
                for (table, hop) in zip([Route.mainTable, 60_001], hops) {
                    var route = Route(destination: try subject.prefix(destination), gateway: try subject.address(hop), link: "brq-one")
                    route.table = table
                    routes.insert(route)
                }
            }
            let rules: Set<RoutingRule> = [
                RoutingRule(version: .v4, priority: 100, table: Route.mainTable, ignoresDefaultRoutes: true),
                RoutingRule(version: .v4, priority: 101, mark: 7, table: 60_001),
                RoutingRule(version: .v4, priority: 101, mark: 8, table: 60_001),
                RoutingRule(version: .v6, priority: 101, mark: 7, table: 60_001),
            ]
            for route in routes { try kernel.perform(.setRoute(route, subject.first)) }
            for rule in rules { try kernel.perform(.addRule(rule, subject.first)) }
            try subject.expect(try kernel.routes(in: subject.first) == routes, "found \(try kernel.routes(in: subject.first))")
            try subject.expect(try kernel.rules(in: subject.first) == rules, "found \(try kernel.rules(in: subject.first))")
            try subject.expect(try kernel.rules(in: subject.second).isEmpty, "rules are in one namespace only")
            for rule in rules {
                try subject.expectRefusal(.addRule(rule, subject.first), code: ErrorCode.exists)
                try kernel.perform(.removeRule(rule, subject.first))
                try subject.expectRefusal(.removeRule(rule, subject.first))
            }
            for route in routes where route.table != Route.mainTable { try kernel.perform(.removeRoute(route, subject.first)) }
            try subject.expect(try kernel.rules(in: subject.first).isEmpty, "all rules are gone")
            let left = try kernel.routes(in: subject.first)
            try subject.expect(left == routes.filter { $0.table == Route.mainTable }, "found \(left)")
        },
        Case(description: "Forwarding entries of tunnels and bridge ports come and go") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            let local = try subject.address("192.0.2.1")
            let vxlan = Link(name: "vxlan-7", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: false), bridge: "brq-one")
            try kernel.perform(.addLink(vxlan, subject.first))
            let veth = Link(name: "tap-one", kind: .veth(peer: "eth0", peerNamespace: subject.second), bridge: "brq-one")
            try kernel.perform(.addLink(veth, subject.first))
            try subject.expect(
                try kernel.forwardingEntries(in: subject.first).isEmpty, "found \(try kernel.forwardingEntries(in: subject.first))")
            let remotes = (try subject.address("192.0.2.2"), try subject.address("192.0.2.3"))
            let mac = try subject.mac("fa:16:3e:00:00:05")
            let entries: Set<ForwardingEntry> = [
                .tunnel(mac: .zero, link: "vxlan-7", remote: remotes.0), .tunnel(mac: .zero, link: "vxlan-7", remote: remotes.1),
                .tunnel(mac: mac, link: "vxlan-7", remote: remotes.0), .bridgePort(mac: mac, link: "vxlan-7"),
                .bridgePort(mac: try subject.mac("fa:16:3e:00:00:06"), link: "tap-one"),
            ]
            for entry in entries { try kernel.perform(.addForwarding(entry, subject.first)) }
            let found = try kernel.forwardingEntries(in: subject.first)
            try subject.expect(found == entries, "found \(found)")
            for entry in entries {
                try kernel.perform(.removeForwarding(entry, subject.first))
                // The kernel takes the removal of a remote that is not on the flooding list for done.
                if case .bridgePort = entry { try subject.expectRefusal(.removeForwarding(entry, subject.first)) }
            }
            try subject.expect(try kernel.forwardingEntries(in: subject.first).isEmpty, "all entries are gone")
        },
        Case(description: "A MAC that moves to another host has one remote") { subject in
            let kernel = subject.kernel
            let local = try subject.address("192.0.2.1")
            try kernel.perform(
                .addLink(Link(name: "vxlan-7", kind: .vxlan(vni: 7, local: local, port: 4789, isLearning: false)), subject.first))
            let mac = try subject.mac("fa:16:3e:00:00:05")
            let before = ForwardingEntry.tunnel(mac: mac, link: "vxlan-7", remote: try subject.address("192.0.2.2"))
            let after = ForwardingEntry.tunnel(mac: mac, link: "vxlan-7", remote: try subject.address("192.0.2.3"))
            try kernel.perform(.addForwarding(before, subject.first))
            try kernel.perform(.addForwarding(after, subject.first))
            let found = try kernel.forwardingEntries(in: subject.first)
            try subject.expect(found == [after], "found \(found)")
        },
        Case(description: "Neighbours of both families come, are replaced and go") { subject in
            let kernel = subject.kernel
            try kernel.perform(.addLink(Link(name: "brq-one", kind: .bridge), subject.first))
            let first = Neighbour(address: try subject.address("192.0.2.7"), mac: try subject.mac("fa:16:3e:00:00:07"), link: "brq-one")
            let second = Neighbour(address: try subject.address("2001:db8::7"), mac: try subject.mac("fa:16:3e:00:00:07"), link: "brq-one")
            for neighbour in [first, second] { try kernel.perform(.setNeighbour(neighbour, subject.first)) }
            try subject.expect(
                try kernel.neighbours(in: subject.first) == [first, second], "found \(try kernel.neighbours(in: subject.first))")
            var moved = first
            moved.mac = try subject.mac("fa:16:3e:00:00:08")
            try kernel.perform(.setNeighbour(moved, subject.first))
            try subject.expect(try kernel.neighbours(in: subject.first) == [moved, second], "the neighbour has its new MAC")
            for neighbour in [moved, second] { try kernel.perform(.removeNeighbour(neighbour, subject.first)) }
            try subject.expect(try kernel.neighbours(in: subject.first).isEmpty, "all neighbours are gone")
        },
        Case(description: "What needs a link is refused without it") { subject in
            let address = LinkAddress(link: "none", address: try subject.interfaceAddress("192.0.2.1/24"))
            let mac = try subject.mac("fa:16:3e:00:00:07")
            let operations: [KernelOperation] = [
                .addAddress(address, subject.first),
                .setRoute(Route(destination: try subject.prefix("203.0.113.0/24"), link: "none"), subject.first),
                .addForwarding(.bridgePort(mac: mac, link: "none"), subject.first),
                .setNeighbour(Neighbour(address: try subject.address("192.0.2.7"), mac: mac, link: "none"), subject.first),
            ]
            for operation in operations { try subject.expectRefusal(operation, code: ErrorCode.noSuchDevice) }
            try subject.expectRefusal(.announce(address, subject.first))
        },
    ]
}
