import Addressing
import KernelInterface
import Testing

@testable import ServiceProcesses

@Suite("keepalived's configuration")
struct KeepalivedConfigurationTests {
    private func address(_ text: String, _ link: String) throws -> LinkAddress {
        LinkAddress(link: link, address: try #require(InterfaceAddress(text)))
    }

    private func route(_ destination: String, via gateway: String? = nil, _ link: String) throws -> Route {
        Route(
            destination: try #require(IPPrefix(destination)), gateway: try gateway.map { try #require(IPAddress($0)) }, link: link)
    }

    private func hop(_ gateway: String, _ link: String) throws -> Route.NextHop {
        let gateway: IPAddress = try #require(IPAddress(gateway))
        return Route.NextHop(gateway: gateway, link: link)
    }

    private func member(
        version: Int = 3, interval: Int = 100, password: String? = nil, pipe: String = "/state/notify.fifo"
    ) -> KeepalivedConfiguration {
        KeepalivedConfiguration(
            virtualRouterID: 5, interface: "ha-1", priority: 200, version: version, advertisementIntervalMilliseconds: interval,
            source: IPv4Address(169, 254, 192, 1), peers: [IPv4Address(169, 254, 192, 3), IPv4Address(169, 254, 192, 2)],
            password: password, notifyPipe: pipe)
    }

    @Test("A route with several next hops is one line with all of them, of equal weight, after the routes on the link")
    func multiPath() throws {
        var member = member()
        member.routes = [
            Route(
                destination: try #require(IPPrefix("172.16.0.0/12")),
                nextHops: [
                    try hop("10.0.2.9", "qr-2"),
                    try hop("10.0.0.8", "qr-1"),
                ]),
            Route(
                destination: try #require(IPPrefix("fd00:9::/64")),
                nextHops: [
                    try hop("fd00:1::8", "qr-1"),
                    try hop("fd00:1::9", "qr-1"),
                ]), try route("198.51.100.0/24", "qg-1"),
        ]
        #expect(
            member.rendered.contains(
                """
                    virtual_routes {
                        198.51.100.0/24 dev qg-1 scope link
                        172.16.0.0/12 no_track nexthop via 10.0.0.8 dev qr-1 weight 1 nexthop via 10.0.2.9 dev qr-2 weight 1
                        fd00:9::/64 no_track nexthop via fd00:1::8 dev qr-1 weight 1 nexthop via fd00:1::9 dev qr-1 weight 1
                    }

                """))
    }

    @Test("A member with addresses and routes is rendered in the order that keepalived needs, sorted")
    func whole() throws {
        var member = member()
        member.addresses = [
            try address("203.0.113.50/32", "qg-1"), try address("203.0.113.10/24", "qg-1"), try address("10.0.0.1/24", "qr-2"),
            try address("10.0.0.1/16", "qr-1"),
        ]
        member.routes = [
            try route("10.9.0.0/16", via: "10.0.0.9", "qr-2"), try route("0.0.0.0/0", via: "198.51.100.1", "qg-1"),
            try route("198.51.100.1/32", "qg-1"),
        ]
        #expect(
            member.rendered == """
                global_defs {
                    router_id neutrino
                    vrrp_version 3
                    vrrp_garp_master_refresh 0
                    vrrp_notify_fifo /state/notify.fifo
                    dynamic_interfaces
                    max_auto_priority -1
                    script_user root
                }
                vrrp_instance VR_5 {
                    state BACKUP
                    interface ha-1
                    virtual_router_id 5
                    priority 200
                    garp_master_delay 1
                    garp_master_repeat 1
                    garp_lower_prio_delay 0
                    garp_lower_prio_repeat 1
                    lower_prio_no_advert
                    higher_prio_send_advert
                    nopreempt
                    advert_int 0.1
                    unicast_src_ip 169.254.192.1
                    unicast_peer {
                        169.254.192.2
                        169.254.192.3
                    }
                    virtual_ipaddress {
                        169.254.0.5/24 dev ha-1
                    }
                    virtual_ipaddress_excluded {
                        10.0.0.1/16 dev qr-1
                        10.0.0.1/24 dev qr-2
                        203.0.113.10/24 dev qg-1
                        203.0.113.50/32 dev qg-1
                    }
                    virtual_routes {
                        198.51.100.1/32 dev qg-1 scope link
                        0.0.0.0/0 via 198.51.100.1 dev qg-1
                        10.9.0.0/16 via 10.0.0.9 dev qr-2
                    }
                }

                """)
    }

    @Test("A member without ports has the primary address and no empty blocks")
    func bare() {
        let text = member().rendered
        #expect(text.contains("169.254.0.5/24 dev ha-1"))
        #expect(!text.contains("virtual_ipaddress_excluded"))
        #expect(!text.contains("virtual_routes"))
    }

    @Test(
        "The advertisement interval is in seconds, rounded up to what the version of VRRP can say",
        arguments: [
            (3, 100, "0.1"), (3, 1000, "1"), (3, 1250, "1.25"), (3, 50, "0.05"), (3, 1, "0.01"), (3, 101, "0.11"), (3, 99_000, "40.95"),
            (2, 2000, "2"), (2, 100, "1"), (2, 1001, "2"), (2, 999_000, "255"),
        ])
    func interval(version: Int, milliseconds: Int, text: String) {
        #expect(member(version: version, interval: milliseconds).rendered.contains("    advert_int \(text)\n"))
    }

    @Test("A member without peers speaks to the multicast group, as to a peer")
    func alone() {
        var member = member()
        member.peers = []
        #expect(member.rendered.contains("    unicast_peer {\n        224.0.0.18\n    }\n"))
    }

    @Test("The password is given with version 2 only, quoted and cut after eight octets")
    func password() {
        #expect(
            member(version: 2, password: "a b#cdefgh").rendered
                .contains("    authentication {\n        auth_type PASS\n        auth_pass \"a b#cdef\"\n    }\n"))
        #expect(!member(version: 3, password: "secret").rendered.contains("auth"))
        #expect(!member(version: 2).rendered.contains("auth"))
    }

    @Test("A pipe's path that keepalived would read as comment or as several words is quoted")
    func quoting() {
        #expect(member(pipe: "/a b#c\"d/fifo").rendered.contains("vrrp_notify_fifo \"/a b#c\\\"d/fifo\"\n"))
    }

    @Test("The daemon is known by its configuration's path, and its command does not depend on what the router holds")
    func daemon() throws {
        let paths = KeepalivedPaths(stateDirectory: "/state", router: "r")
        let daemon = KeepalivedDaemon.daemon(router: "r", namespace: NamespaceName("qrouter-r"), paths: paths, configuration: member())
        #expect(daemon.key == "keepalived/r")
        #expect(daemon.mark == "/state/ha_confs/r/keepalived.conf")
        #expect(daemon.processIDFile == "/state/ha_confs/r.pid")
        #expect(daemon.namedPipes == ["/state/ha_confs/r/notify.fifo"])
        #expect(daemon.files == [ConfigurationFile(path: daemon.mark, contents: member().rendered, onChange: .signal(1))])
        #expect(daemon.check == ConfigurationCheck(path: daemon.mark, command: ["keepalived", "-t", "-G", "-f"]))
        #expect(daemon.command.contains(daemon.mark))
        var other = member()
        other.addresses = [try address("10.0.0.1/24", "qr-9")]
        #expect(
            KeepalivedDaemon.daemon(router: "r", namespace: NamespaceName("qrouter-r"), paths: paths, configuration: other).command
                == daemon.command)
    }
}
