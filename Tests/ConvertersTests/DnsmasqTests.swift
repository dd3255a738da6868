import Addressing
import HostModel
import KernelInterface
import NetworkModel
import ServiceProcesses
import Testing

@testable import Converters

/// A real dnsmasq with the files that the converter renders, and a real client.
@Suite("DHCP with a real dnsmasq", .enabled(if: isRoot, needsRoot), .serialized)
struct DnsmasqTests {
    /// A namespace with the DHCP port, connected with the client's.
    struct Bench {
        let test: TestHost
        let server: String
        let client: String
        let interface = ServiceLink.innerName(.dhcp, id(50))
        let script: String
        let settings: AgentSettings

        init() throws {
            test = try TestHost()
            server = try test.namespace("server")
            client = try test.namespace("client")
            settings = AgentSettings(stateDirectory: "\(test.directory)/state")
            script = try test.write(
                "lease.sh",
                """
                #!/bin/sh
                [ "$1" = bound ] && echo "leased=$ip router=$router dns=$dns mtu=$mtu domain=$domain lease=$lease routes=$staticroutes"
                exit 0
                """)
            try test.expect(
                """
                chmod 755 \(script)
                ip -n \(server) link add \(interface) type veth peer name eth address \(mac(5)) netns \(client)
                ip -n \(server) addr add 10.0.0.2/24 dev \(interface)
                ip -n \(server) link set dev \(interface) up
                ip -n \(client) link set dev eth up
                """)
        }

        /// The items of a network with one subnet and reservations (port number → number of its MAC).
        func view(_ reservations: [Int: Int], dns: [String] = [], routes: [StaticRoute] = []) -> HostView {
            let subnet = HostDHCP.Subnet(
                id: id(60), prefix: prefix("10.0.0.0/24"), gateway: ip("10.0.0.1"), dnsNameservers: dns.map(ip), hostRoutes: routes)
            let dhcp = HostDHCP(
                networkID: networkID, portID: id(50), portMAC: mac(50), portAddresses: [interfaceAddress("10.0.0.2/24")], portRevision: 1,
                mtu: 1450, subnets: [subnet])
            return ConvertersTests.view(
                [.dhcp(dhcp)]
                    + reservations.map { number, macNumber in
                        .reservation(
                            HostReservation(
                                portID: id(number), networkID: networkID, mac: mac(macNumber), addresses: [ip("10.0.0.\(number)")],
                                hostname: "host-10-0-0-\(number)", revision: 1))
                    })
        }

        func daemon(_ view: HostView) throws -> DaemonConfiguration {
            try #require(HostConverter.convert(view, settings).configuration.daemons["dnsmasq/\(networkID)"])
        }

        func writeFiles(_ view: HostView) throws {
            for file in try daemon(view).files where try !file.isInitial || test.run("[ -e \(file.path) ]").status != 0 {
                _ = try test.write(file.path, file.contents)
            }
        }

        func start(_ view: HostView) throws {
            try writeFiles(view)
            let daemon = try daemon(view)
            try test.expect(daemon.command.joined(separator: " ") + " --test", in: server)
            try test.expect(daemon.command.joined(separator: " "), in: server)
        }

        /// Writes the files of a new view, and signals as the daemon's files ask.
        func reload(_ view: HostView) throws {
            try writeFiles(view)
            try test.expect("kill -HUP $(cat \(try daemon(view).processIDFile))")
        }

        /// What a client with the given MAC is leased; nil for no answer.
        func lease(mac number: Int, options: String = "") throws -> String? {
            try test.expect("ip link set dev eth down; ip link set dev eth address \(mac(number)); ip link set dev eth up", in: client)
            let output = try test.run(
                "udhcpc -i eth -n -q -f -t 3 -T 1 -O mtu -O routes -O staticroutes \(options) -s \(script)", in: client)
            return output.text.split(separator: "\n").first { $0.hasPrefix("leased=") }.map(String.init)
        }
    }

    @Test("A known MAC gets its address, router, name server, MTU and domain; an unknown one gets no answer")
    func lease() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        try bench.start(bench.view([5: 5]))
        let lease = try #require(try bench.lease(mac: 5))
        #expect(lease.hasPrefix("leased=10.0.0.5 router=10.0.0.1 dns=10.0.0.2 mtu=1450 domain=openstacklocal lease=86400"))
        #expect(try bench.lease(mac: 99) == nil)
    }

    @Test("A signal makes new ports and changed options known, also while leases are held")
    func reload() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        try bench.start(bench.view([5: 5]))
        #expect(try bench.lease(mac: 5) != nil)
        let route = StaticRoute(destination: prefix("172.16.0.0/12"), nextHop: ip("10.0.0.9"))
        try bench.reload(bench.view([5: 5, 6: 6], dns: ["9.9.9.9"], routes: [route]))
        let lease = try #require(try bench.lease(mac: 6))
        #expect(lease.hasPrefix("leased=10.0.0.6 router=10.0.0.1 dns=9.9.9.9"))
        #expect(lease.contains("routes=172.16.0.0/12 10.0.0.9 169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1"))
    }

    @Test("A name is answered with the port's address")
    func names() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        try bench.start(bench.view([5: 5]))
        try bench.test.expect("ip addr add 10.0.0.77/24 dev eth", in: bench.client)
        let answer = try bench.test.run("busybox nslookup host-10-0-0-5.openstacklocal 10.0.0.2", in: bench.client)
        #expect(answer.text.contains("10.0.0.5"), "\(answer.text)")
    }

    @Test("A port's own options replace those of its subnet for its MAC alone; its name is answered in every domain that it has")
    func portOptionsAndNames() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        var view = bench.view([5: 5, 6: 6])
        view.put(
            .reservation(
                HostReservation(
                    portID: id(5), networkID: networkID, mac: mac(5), addresses: [ip("10.0.0.5")], hostname: "web",
                    names: [
                        .init(address: ip("10.0.0.5"), host: "web", domains: ["example.org."]), .init(address: ip("fd00::5"), host: "web"),
                    ],
                    options: [
                        .init(version: 4, name: "router", value: "10.0.0.254"),
                        .init(version: 4, name: "dns-server", value: "not an address"),
                        .init(version: 4, name: "no-such-option", value: "1"), .init(version: 4, name: "12", value: "called"),
                    ], revision: 1)))
        try bench.start(view)
        let own = try #require(try bench.lease(mac: 5))
        #expect(own.hasPrefix("leased=10.0.0.5 router=10.0.0.254"))
        #expect(own.contains("routes=169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.254"), "who heeds routes does not heed the router")
        let other = try #require(try bench.lease(mac: 6))
        #expect(other.hasPrefix("leased=10.0.0.6 router=10.0.0.1"), "another port is told what it was")
        #expect(other.contains("routes=169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1"))
        try bench.test.expect("ip addr add 10.0.0.77/24 dev eth", in: bench.client)
        for name in ["web", "web.openstacklocal", "web.example.org"] {
            let answer = try bench.test.run("busybox nslookup \(name) 10.0.0.2", in: bench.client)
            #expect(answer.text.contains("10.0.0.5"), "\(name): \(answer.text)")
        }
        #expect(try bench.test.run("busybox nslookup web.openstacklocal 10.0.0.2", in: bench.client).text.contains("fd00::5"))
        try bench.reload(view)
        #expect(try bench.lease(mac: 5) != nil, "dnsmasq lives through a signal while it holds the lease of a port with options")
    }

    @Test("A client that borrows another's identifier ends no lease of it")
    func borrowedIdentifier() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        try bench.start(bench.view([5: 5, 7: 7]))
        func leases() throws -> String {
            try bench.test.run("cat \(DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(networkID, bench.settings)))").text
        }
        // udhcpc's own identifier: type 1 and its MAC.
        #expect(try bench.lease(mac: 5)?.hasPrefix("leased=10.0.0.5 ") == true)
        let identifier = "01" + mac(5).description.replacing(":", with: "")
        #expect(try bench.lease(mac: 7, options: "-R -x 0x3d:\(identifier)")?.hasPrefix("leased=10.0.0.7 ") == true)
        let text = try leases()
        #expect(text.contains("\(mac(5)) 10.0.0.5 "), "\(text)")
    }

    @Test("A server that comes in another's place goes on with the leases of its clients")
    func succession() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let view = bench.view([5: 5])
        try bench.start(view)
        let log = "\(bench.test.directory)/heard"
        let script = try bench.test.write(
            "client.sh",
            """
            #!/bin/sh
            echo "$1" >> \(log)
            [ -z "$ip" ] || ip addr replace $ip/24 dev eth

            """)
        try bench.test.expect("chmod 755 \(script)")
        let client = "busybox udhcpc -i eth -f -t 3 -T 1 -p \(log).pid -s \(script) >\(log).out 2>&1 &"
        try bench.test.expect(client, in: bench.client)
        func hears(_ word: String) throws -> Bool { try eventually { try bench.test.run("grep -qx \(word) \(log)").status == 0 } }
        #expect(try hears("bound"))
        let daemon = try bench.daemon(view)
        let former = try bench.test.run("cat \(daemon.processIDFile)").text
        try bench.test.expect("kill \(former)")
        #expect(try eventually { try bench.test.run("kill -0 \(former)").status != 0 })
        try bench.test.expect("rm -r \(try #require(daemon.directory))")
        try bench.start(view)
        // It renews by unicast.
        try bench.test.expect("kill -USR1 $(cat \(log).pid)")
        let isRenewed = try hears("renew")
        let heard = try bench.test.run("cat \(log) \(log).out").text
        #expect(isRenewed, "\(heard)")
        try bench.test.expect("! grep -qx -e nak -e leasefail \(log); kill $(cat \(log).pid)")
    }

    @Test("An address goes to another MAC only after its old lease is released, and the release is what the converter says")
    func release() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (old, new) = (bench.view([5: 5]), bench.view([5: 7]))
        try bench.start(old)
        #expect(try bench.lease(mac: 5) != nil)
        try bench.reload(new)
        #expect(try bench.lease(mac: 7) == nil, "dnsmasq keeps the address for the old MAC")
        let releases = DHCPConverter.leaseReleases(from: old, to: new) { _ in nil }
        #expect(releases.count == 1)
        let leases = try bench.test.run(
            "cat \(DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(networkID, bench.settings)))")
        #expect(DHCPConverter.leaseReleases(leaseFile: leases.text, networkID: networkID, in: new) == releases)
        for release in releases { try bench.test.expect(release.command.joined(separator: " "), in: bench.server) }
        #expect(try bench.lease(mac: 7)?.hasPrefix("leased=10.0.0.5 ") == true)
    }
}
