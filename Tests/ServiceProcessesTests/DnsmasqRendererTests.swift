import Addressing
import Glibc
import KernelInterface
import Testing

@testable import ServiceProcesses

@Suite("dnsmasq")
struct DnsmasqRendererTests {
    private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
    private func mac(_ text: String) throws -> MACAddress { try #require(MACAddress(text)) }

    private func example() throws -> DnsmasqConfiguration {
        DnsmasqConfiguration(
            name: "net", namespace: NamespaceName("qdhcp-net"), interface: "ns-1", mac: try mac("fa:16:3e:00:00:02"),
            directory: "/state/dhcp/net", domain: "openstacklocal", leaseSeconds: 86400, mtu: 1450,
            subnets: [
                .init(
                    prefix: try prefix("10.0.0.0/24"), gateway: try ip("10.0.0.1"), dnsServers: [try ip("8.8.8.8"), try ip("9.9.9.9")],
                    routes: [.init(destination: try prefix("10.9.0.0/16"), nextHop: try ip("10.0.0.254"))]),
                .init(prefix: try prefix("10.1.0.0/20"), gateway: nil),
            ],
            reservations: [
                .init(mac: try mac("fa:16:3e:00:00:06"), address: try ip("10.0.0.6"), hostname: "host-10-0-0-6"),
                .init(mac: try mac("fa:16:3e:00:00:05"), address: try ip("10.0.0.5"), hostname: "host-10-0-0-5"),
            ],
            names: [
                .init(address: try ip("10.0.0.6"), names: ["host-10-0-0-6.openstacklocal", "host-10-0-0-6"]),
                .init(address: try ip("10.0.0.5"), names: ["host-10-0-0-5.openstacklocal", "host-10-0-0-5"]),
            ])
    }

    @Test("The command line names everything that dnsmasq reads, writes and serves")
    func command() throws {
        let daemon = DnsmasqRenderer.daemon(try example())
        #expect(
            daemon.command == [
                "dnsmasq", "--conf-file=/state/dhcp/net/tags", "--no-hosts", "--no-resolv", "--bind-dynamic", "--interface=ns-1",
                "--except-interface=lo",
                "--pid-file=/state/dhcp/net/pid", "--dhcp-hostsfile=/state/dhcp/net/host", "--addn-hosts=/state/dhcp/net/addn_hosts",
                "--dhcp-optsfile=/state/dhcp/net/opts", "--dhcp-leasefile=/state/dhcp/net/leases", "--dhcp-ignore-clid",
                "--dhcp-match=set:ipxe,175", "--dhcp-option-force=option:mtu,1450", "--dhcp-lease-max=4352",
                "--dhcp-range=set:tag0,10.0.0.0,static,255.255.255.0,86400s",
                "--dhcp-range=set:tag1,10.1.0.0,static,255.255.240.0,86400s", "--domain=openstacklocal",
            ])
        #expect(daemon.key == "dnsmasq/net")
        #expect(daemon.processIDFile == "/state/dhcp/net/pid")
        #expect(daemon.command.contains(daemon.mark))
        #expect(daemon.files.map(\.onChange) == [.signal(SIGHUP), .signal(SIGHUP), .signal(SIGHUP), .restart, .none])
    }

    @Test("Messages are written down where that is asked for, into a log that is kept small")
    func messages() throws {
        var configuration = try example()
        #expect(DnsmasqRenderer.daemon(configuration).growingLog == nil)
        configuration.logsMessages = true
        let daemon = DnsmasqRenderer.daemon(configuration)
        let path = "/state/dhcp/net/log"
        #expect(daemon.command.contains("--log-dhcp") && daemon.command.contains("--log-facility=\(path)"))
        #expect(daemon.growingLog == GrowingLog(path: path, limitBytes: DnsmasqRenderer.logLimitBytes))
        // It goes with the daemon.
        #expect(daemon.directory.map { daemon.growingLog?.formerPath.hasPrefix($0 + "/") == true } == true)
    }

    @Test("A new server knows all clients' IPv4 leases, without an end, and has the identifier of the network's DHCP port")
    func firstLeases() throws {
        var configuration = try example()
        // Of no subnet that is served, and of IPv6, whose clients' identifiers nobody knows.
        for address in ["10.9.0.7", "2001:db8::7"] {
            configuration.reservations.append(.init(mac: try mac("fa:16:3e:00:00:07"), address: try ip(address), hostname: "host"))
        }
        let files = DnsmasqRenderer.daemon(configuration).files.filter(\.isInitial)
        #expect(files.map(\.path) == [configuration.leasesPath])
        #expect(
            files.first?.contents == """
                0 fa:16:3e:00:00:05 10.0.0.5 * *
                0 fa:16:3e:00:00:06 10.0.0.6 * *
                duid 00:03:00:01:fa:16:3e:00:00:02

                """)
    }

    @Test("A lease without an end is called infinite")
    func infiniteLease() throws {
        var configuration = try example()
        configuration.leaseSeconds = DnsmasqConfiguration.infiniteLeaseSeconds
        #expect(DnsmasqRenderer.daemon(configuration).command.contains("--dhcp-range=set:tag0,10.0.0.0,static,255.255.255.0,infinite"))
    }

    @Test("The files hold a line per reservation, sorted by address and without tags, and the options of each subnet")
    func files() throws {
        let contents = DnsmasqRenderer.daemon(try example()).files.filter { !$0.isInitial }.map(\.contents)
        #expect(
            contents == [
                """
                fa:16:3e:00:00:05,host-10-0-0-5.openstacklocal,10.0.0.5
                fa:16:3e:00:00:06,host-10-0-0-6.openstacklocal,10.0.0.6

                """,
                """
                10.0.0.5\thost-10-0-0-5.openstacklocal host-10-0-0-5
                10.0.0.6\thost-10-0-0-6.openstacklocal host-10-0-0-6

                """,
                """
                tag:tag0,option:dns-server,8.8.8.8,9.9.9.9
                tag:tag0,option:classless-static-route,10.9.0.0/16,10.0.0.254,0.0.0.0/0,10.0.0.1
                tag:tag0,249,10.9.0.0/16,10.0.0.254,0.0.0.0/0,10.0.0.1
                tag:tag0,option:router,10.0.0.1
                tag:tag1,option:dns-server
                tag:tag1,option:router

                """, "",
            ])
    }

    @Test("Options of one port stand behind those of subnets, under a tag that its MAC has")
    func portOptions() throws {
        var configuration = try example()
        configuration.options = [
            .init(
                tag: "p1", mac: try mac("fa:16:3e:00:00:05"),
                options: [
                    .init(version: .v4, name: "bootfile-name", value: "pxelinux.0"), .init(version: .v4, name: "150", value: "10.0.0.9"),
                    .init(version: .v4, name: "tag:ipxe,67", value: "http://10.0.0.9/boot.ipxe"),
                    .init(version: .v4, name: "router", value: ""), .init(version: .v6, name: "59", value: "tftp://[fd00::9]/boot"),
                    .init(version: .v4, name: "ntp-server", value: "1.2.3.4\nlog-dhcp"),
                ])
        ]
        let files = DnsmasqRenderer.daemon(configuration).files
        #expect(files[3].contents == "dhcp-mac=set:p1,fa:16:3e:00:00:05\n")
        #expect(
            files[2].contents.split(separator: "\n").suffix(5) == [
                "tag:p1,option:bootfile-name,pxelinux.0", "tag:p1,150,10.0.0.9", "tag:p1,tag:ipxe,67,http://10.0.0.9/boot.ipxe",
                "tag:p1,option:router", "tag:p1,option6:59,tftp://[fd00::9]/boot",
            ], "a value of two lines is left out")
    }

    @Test("A new reservation changes files that are read again, never the command line")
    func reservation() throws {
        let before = try example()
        var after = before
        after.reservations.append(.init(mac: try mac("fa:16:3e:00:00:07"), address: try ip("10.0.0.7"), hostname: "x"))
        #expect(DnsmasqRenderer.daemon(before).command == DnsmasqRenderer.daemon(after).command)
        #expect(DnsmasqRenderer.daemon(before).files.map(\.contents) != DnsmasqRenderer.daemon(after).files.map(\.contents))
    }

    @Test("The number of leases has a limit, and no subnet overflows it")
    func leaseLimit() throws {
        var configuration = try example()
        configuration.subnets = [
            .init(prefix: try prefix("0.0.0.0/0"), gateway: nil), .init(prefix: try prefix("10.0.0.0/8"), gateway: nil),
        ]
        #expect(DnsmasqRenderer.command(configuration).contains("--dhcp-lease-max=16777216"))
        #expect(DnsmasqRenderer.command(configuration).contains("--dhcp-range=set:tag0,0.0.0.0,static,0.0.0.0,86400s"))
    }

    @Test("The lease file tells which leases no reservation asks for")
    func leases() throws {
        let text = """
            1700000000 fa:16:3e:00:00:05 10.0.0.5 host-10-0-0-5 01:fa:16:3e:00:00:05
            1700000000 fa:16:3e:00:00:99 10.0.0.6 * *
            nonsense
            duid 00:01:00:01:2c
            1700000000 12345 2001:db8::5 host *

            """
        let leases = DnsmasqLeases.parse(text)
        #expect(leases.count == 2)
        let releases = DnsmasqLeases.releases(
            of: leases, for: try example().reservations, namespace: NamespaceName("qdhcp-net"), interface: "ns-1")
        #expect(releases.map(\.command) == [["dhcp_release", "ns-1", "10.0.0.6", "fa:16:3e:00:00:99"]])
    }

    @Test("The lease file tells by which identifiers IPv6 addresses are held")
    func leases6() {
        let text = """
            1700000000 fa:16:3e:00:00:05 10.0.0.5 host-10-0-0-5 01:fa:16:3e:00:00:05
            duid 00:01:00:01:2c
            1700000000 12345 2001:db8::6 host 00:03:00:01:fa
            1700000000 T7 2001:db8::7 host 00:03:00:01:fb
            nonsense
            1700000000 4294967295 2001:db8::5 * 00:03:00:01:fc

            """
        let releases = DnsmasqLeases.releases(ofIPv6: text, namespace: NamespaceName("qdhcp-net"), interface: "ns-1") { _ in true }
        #expect(
            releases.map { Array($0.command.dropFirst(4)) } == [
                [
                    "dhcp_release6", "--ip", "2001:db8::5", "--iface", "ns-1", "--server-id", "00:01:00:01:2c", "--client-id",
                    "00:03:00:01:fc", "--iaid", "4294967295",
                ],
                [
                    "dhcp_release6", "--ip", "2001:db8::6", "--iface", "ns-1", "--server-id", "00:01:00:01:2c", "--client-id",
                    "00:03:00:01:fa", "--iaid", "12345",
                ],
            ])
        #expect(DnsmasqLeases.parseIPv6("1 12345 2001:db8::6 host 00:03") == nil)
    }
}
