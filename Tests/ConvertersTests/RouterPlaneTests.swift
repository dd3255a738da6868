import Addressing
import HostModel
import KernelInterface
import NetworkModel
import Testing

@testable import Converters

@Suite("Forwardings, limits, scopes, helpers and advertisements of routers")
struct RouterPlaneTests {
    private let qr = device("qr-", 11)
    private let qg = device("qg-", 13)

    private func pieces(_ change: (inout HostRouter) -> Void, _ settings: AgentSettings = settings) -> RouterPieces {
        var router = standaloneRouter()
        change(&router)
        return RouterConverter.convert(router: router, settings: settings)
    }

    private func table(_ name: String, _ change: (inout HostRouter) -> Void) -> FirewallTable? {
        pieces(change).configuration.firewall.first { $0.name == name }
    }

    @Test("A forwarding is an element: of one port, of a range to one port, of a range to itself, or one for each port of a shifted range")
    func forwardings() throws {
        let table = try #require(
            table("neutrino_nat") { router in
                router.portForwardings = [
                    forwarding(60, 6, "203.0.113.50", 80...80, to: "10.0.0.5", 8080...8080),
                    forwarding(61, 6, "203.0.113.50", 90...99, to: "10.0.0.5", 22...22),
                    forwarding(62, 17, "203.0.113.50", 90...99, to: "10.0.0.5", 90...99),
                    forwarding(63, 132, "203.0.113.50", 1...2, to: "10.0.0.5", 11...12),
                    // The API refuses it; the kernel would refuse the whole ruleset.
                    forwarding(64, 6, "203.0.113.50", 95...100, to: "10.0.0.6", 95...100),
                ]
            })
        #expect(
            table.sets["forwarded_ports"]?.elements == [
                "6 . 203.0.113.50 . 80 : 10.0.0.5 . 8080", "132 . 203.0.113.50 . 1 : 10.0.0.5 . 11",
                "132 . 203.0.113.50 . 2 : 10.0.0.5 . 12",
            ])
        #expect(table.sets["forwarded_ranges"]?.elements == ["6 . 203.0.113.50 . 90-99 : 10.0.0.5 . 22"])
        #expect(table.sets["forwarded_spans"]?.elements == ["17 . 203.0.113.50 . 90-99 : 10.0.0.5"])
        #expect(self.table("neutrino_nat") { _ in }?.chains == table.chains, "the rules are the same without forwardings")
    }

    @Test("A gateway without an IPv4 address translates floating IPs, and routes their packets on; without any it has no IPv4")
    func floatingIPsOfOtherSubnets() throws {
        func pieces(_ floatingIPs: [HostRouter.Floating]) -> RouterPieces {
            self.pieces { router in
                router.gateway = routerPort(13, network: 3, "2001:db8::10/64", gateways: ["2001:db8::1", "203.0.113.1"])
                router.gateway?.onLinkPrefixes = ["203.0.113.0/24", "198.51.100.0/24"].compactMap { IPPrefix($0) }
                router.floatingIPs = floatingIPs
            }
        }
        let four = pieces([floating(50, "203.0.113.50", to: "10.0.0.5")]).configuration
        let nat = try #require(four.firewall.first { $0.name == "neutrino_nat" })
        #expect(nat.sets["floating_to_fixed"]?.elements == ["203.0.113.50 : 10.0.0.5"])
        #expect(nat.chains["postrouting"]?.rules.contains { $0.contains("snat to ip saddr map @fixed_to_floating") } == true)
        #expect(nat.chains["postrouting"]?.rules.contains { $0.contains("snat to 2001") } == false)
        let destinations = four.routes.map(\.destination.description)
        #expect(Set(destinations) == ["0.0.0.0/0", "203.0.113.1/32", "203.0.113.0/24", "198.51.100.0/24", "::/0"])
        let six = pieces([]).configuration
        #expect(!six.firewall.contains { $0.name == "neutrino_nat" })
        #expect(six.routes.map(\.destination.description) == ["::/0"])
    }

    @Test("Forwarded addresses are host addresses of qg-, once each")
    func forwardedAddresses() {
        let addresses = pieces { router in
            router.portForwardings = [60, 61].map { forwarding($0, 6, "203.0.113.50", $0...$0, to: "10.0.0.5", 22...22) }
        }.configuration.addresses
        #expect(addresses.contains(LinkAddress(link: qg, address: interfaceAddress("203.0.113.50/32"))))
    }

    @Test("Shifted ranges have a bound, and the one that would exceed it is reported and alone left out")
    func bound() {
        let pieces = pieces { router in
            router.portForwardings = [
                forwarding(60, 6, "203.0.113.50", 1...16_384, to: "10.0.0.5", 20_001...36_384),
                forwarding(61, 6, "203.0.113.51", 1...2, to: "10.0.0.5", 11...12),
                forwarding(62, 6, "203.0.113.51", 80...80, to: "10.0.0.5", 80...80),
            ]
        }
        #expect(pieces.problems.count == 1)
        #expect(pieces.problems.first?.contains("\(id(61))") == true)
        #expect(pieces.configuration.firewall.first?.sets["forwarded_ports"]?.elements.count == 16_385)
    }

    @Test("A helper that the kernel has not is reported, and the others are there")
    func helpers() throws {
        var limited = settings
        limited.trackingHelpers = [TrackingHelper(name: "ftp", protocolNumber: 6)]
        let pieces = pieces(
            { router in
                router.connectionHelpers = [
                    .init(id: id(90), helper: "ftp", protocolNumber: 6, port: 21),
                    .init(id: id(91), helper: "sip", protocolNumber: 17, port: 5060),
                ]
            }, limited)
        let table = try #require(pieces.configuration.firewall.first { $0.name == "neutrino_helpers" })
        #expect(table.objects == ["ftp_tcp": .init(kind: "ct helper", lines: ["type \"ftp\" protocol tcp"])])
        #expect(table.chains["prerouting"]?.rules == ["tcp dport 21 ct helper set \"ftp_tcp\""])
        #expect(pieces.problems == ["the kernel has no connection tracking helper sip/udp (connection helper \(id(91)))"])
    }

    @Test("A limit is an element with its own bucket, in bytes, and changes no rule")
    func limits() throws {
        func limited(_ kilobits: Int, burst: Int) -> FirewallTable? {
            table("neutrino_limits") { router in
                var floating = floating(50, "203.0.113.50", to: "10.0.0.5")
                floating.limits = .init(egress: .init(kilobitsPerSecond: kilobits, burstKilobits: burst))
                router.floatingIPs = [floating]
            }
        }
        let slow = try #require(limited(1000, burst: 0))
        let fast = try #require(limited(20_000, burst: 8000))
        #expect(slow.sets["egress_buckets"]?.elements == ["203.0.113.50 limit rate over 125000 bytes/second burst 1 bytes"])
        #expect(fast.sets["egress_buckets"]?.elements == ["203.0.113.50 limit rate over 2500000 bytes/second burst 1 bytes"])
        #expect(slow.sets["ingress_buckets"]?.elements.isEmpty == true)
        #expect(slow.chains == fast.chains)
        #expect(table("neutrino_limits") { _ in } == nil)
    }

    @Test("A floating IP that only forwards ports has one bucket for all of them")
    func forwardingLimits() throws {
        let limited = table("neutrino_limits") { router in
            router.portForwardings = [80, 443].map { port in
                HostRouter.PortForwarding(
                    id: id(port), protocolNumber: 6, externalAddress: ip("203.0.113.60"), externalPorts: port...port,
                    internalAddress: ip("10.0.0.5"), internalPorts: port...port,
                    limits: .init(ingress: .init(kilobitsPerSecond: 1000, burstKilobits: 0)))
            }
        }
        #expect(limited?.sets["ingress_buckets"]?.elements == ["203.0.113.60 limit rate over 125000 bytes/second burst 1 bytes"])
    }

    @Test("Scopes need rules only where there is more than one, and elements as many as interfaces")
    func scopes() throws {
        #expect(table("neutrino_scopes") { _ in } == nil)
        let table = try #require(table("neutrino_scopes") { $0.interfaces[0].scope4 = id(700) })
        #expect(table.sets["scope4"]?.elements == ["\"\(qr)\" : 2", "\"\(device("qr-", 12))\" : 1", "\"\(qg)\" : 1"])
        #expect(table.sets["inside4"]?.elements.count == 3)
    }

    @Test("radvd runs where an interface advertises, with its prefixes, flags and name servers")
    func advertisements() throws {
        func change(_ router: inout HostRouter) {
            router.interfaces[0].addresses.append(interfaceAddress("2001:db8::1/64"))
            router.interfaces[0].advertisement = .init(
                prefixes: [.init(prefix: prefix("2001:db8::/64"), isAutonomous: false)], isManaged: true, hasOtherConfiguration: false,
                dnsNameservers: ["2001:db8::a", "2001:db8::b", "192.0.2.1", "2001:db8::c", "2001:db8::d"].map(ip))
        }
        let daemon = try #require(pieces(change).daemons.first)
        #expect(daemon.key == "radvd/\(routerID)")
        #expect(daemon.command == ["radvd", "-C", daemon.mark, "-p", daemon.processIDFile, "-m", "stderr_syslog"])
        #expect(
            daemon.files.first?.contents == """
                interface \(qr)
                {
                    AdvSendAdvert on;
                    IgnoreIfMissing on;
                    MinRtrAdvInterval 30;
                    MaxRtrAdvInterval 100;
                    AdvManagedFlag on;
                    AdvOtherConfigFlag off;
                    AdvLinkMTU 1450;
                    prefix 2001:db8::/64
                    {
                        AdvOnLink on;
                        AdvAutonomous off;
                    };
                    RDNSS 2001:db8::a 2001:db8::b 2001:db8::c {};
                };

                """)
        #expect(pieces { _ in }.daemons.isEmpty)
    }
}
