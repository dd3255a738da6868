import Addressing
import Converters
import HostModel
import NetworkModel
import ServiceProcesses
import Testing

/// A real dnsmasq with the files that the converter renders, and dhclient, which speaks DHCPv6.
@Suite("DHCPv6 with a real dnsmasq", .enabled(if: isRoot, needsRoot), .serialized)
struct DnsmasqIPv6Tests {
    private func view(_ mode: IPv6Mode?, reservations: [Int: [String]], dns: [String] = []) -> HostView {
        let subnets = [
            HostDHCP.Subnet(id: id(60), prefix: prefix("10.0.0.0/24"), gateway: ip("10.0.0.1")),
            HostDHCP.Subnet(
                id: id(61), prefix: prefix("2001:db8::/64"), gateway: ip("2001:db8::1"), dnsNameservers: dns.map(ip), addressMode: mode),
        ]
        let dhcp = HostDHCP(
            networkID: networkID, portID: id(50), portMAC: mac(50),
            portAddresses: [interfaceAddress("10.0.0.2/24"), interfaceAddress("2001:db8::2/64")], portRevision: 1, mtu: 1450,
            subnets: subnets)
        return ConvertersTests.view(
            [.dhcp(dhcp)]
                + reservations.map { number, addresses in
                    .reservation(
                        HostReservation(
                            portID: id(number), networkID: networkID, mac: mac(number), addresses: addresses.map(ip),
                            hostname: "host-10-0-0-\(number)", revision: 1))
                })
    }

    private func bench() throws -> DnsmasqTests.Bench {
        let bench = try DnsmasqTests.Bench()
        try bench.test.expect("ip -n \(bench.server) addr add 2001:db8::2/64 dev \(bench.interface) nodad")
        return bench
    }

    /// What dhclient hears, as it tells its script; nil for no answer.
    private func ask(_ bench: DnsmasqTests.Bench, mac number: Int, isStateless: Bool = false) throws -> String? {
        let result = "\(bench.test.directory)/result"
        let script = try bench.test.write(
            "script6",
            """
            #!/bin/sh
            [ "$reason" = PREINIT6 ] && exit 0
            echo "$new_ip6_address dns=$new_dhcp6_name_servers search=$new_dhcp6_domain_search" >\(result)
            kill $PPID
            exit 0

            """)
        try bench.test.expect("chmod 755 \(script); rm -f \(result) \(bench.test.directory)/lease6")
        try bench.test.expect(
            "echo 0 > /proc/sys/net/ipv6/conf/eth/accept_dad; ip link set dev eth down; ip link set dev eth address \(mac(number)); ip link set dev eth up",
            in: bench.client)
        #expect(try eventually { try bench.test.run("ip -6 addr show dev eth -tentative", in: bench.client).text.contains("fe80::") })
        let mode = isStateless ? "-S" : "-6 -1"
        try bench.test.run(
            "timeout 5 dhclient \(mode) -D LL -d -lf \(bench.test.directory)/lease6 -pf \(bench.test.directory)/pid6 -sf \(script) eth",
            in: bench.client)
        let text = try bench.test.run("cat \(result)")
        return text.status == 0 ? text.text.split(separator: "\n").first.map(String.init) : nil
    }

    @Test("A known MAC gets its IPv6 address, name server and domain; an unknown one none; IPv4 goes on beside it")
    func stateful() throws {
        let bench = try bench()
        defer { bench.test.remove() }
        try bench.start(view(.stateful, reservations: [5: ["10.0.0.5", "2001:db8::55"]]))
        #expect(try ask(bench, mac: 5) == "2001:db8::55 dns=2001:db8::2 search=openstacklocal.")
        #expect(try ask(bench, mac: 99)?.hasPrefix("2001") != true)
        #expect(try bench.lease(mac: 5)?.hasPrefix("leased=10.0.0.5") == true)
        // Another port, and other name servers, while leases are held.
        try bench.reload(view(.stateful, reservations: [5: ["10.0.0.5", "2001:db8::55"], 6: ["2001:db8::66"]], dns: ["2001:db8::53"]))
        #expect(try ask(bench, mac: 6) == "2001:db8::66 dns=2001:db8::53 search=openstacklocal.")
    }

    @Test("An IPv6 address goes to another client only after its old lease is released, and the release is what the converter says")
    func release() throws {
        let bench = try bench()
        defer { bench.test.remove() }
        let (old, new) = (view(.stateful, reservations: [5: ["2001:db8::55"]]), view(.stateful, reservations: [6: ["2001:db8::55"]]))
        let none = view(.stateful, reservations: [:])
        try bench.start(old)
        #expect(try ask(bench, mac: 5)?.hasPrefix("2001:db8::55 ") == true)
        try bench.reload(new)
        #expect(try ask(bench, mac: 6)?.hasPrefix("2001:db8::55 ") != true, "dnsmasq keeps the address for the old client")
        let path = DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(networkID, bench.settings))
        func leases() throws -> String { try bench.test.run("cat \(path)").text }
        let text = try leases()
        let releases = DHCPConverter.leaseReleases(from: old, to: new) { $0 == networkID ? text : nil }
        #expect(releases.count == 1)
        #expect(DHCPConverter.leaseReleases(leaseFile: text, networkID: networkID, in: none) == releases)
        #expect(DHCPConverter.leaseReleases(leaseFile: text, networkID: networkID, in: old).isEmpty)
        for release in releases {
            let words = release.command.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
            try bench.test.expect(words, in: bench.server)
        }
        #expect(try eventually { try !leases().contains("2001:db8::55") })
        #expect(try ask(bench, mac: 6)?.hasPrefix("2001:db8::55 ") == true)
    }

    @Test("Where hosts make their addresses themselves, they are told the rest")
    func stateless() throws {
        let bench = try bench()
        defer { bench.test.remove() }
        try bench.start(view(.stateless, reservations: [:], dns: ["2001:db8::53"]))
        #expect(try ask(bench, mac: 5, isStateless: true) == " dns=2001:db8::53 search=openstacklocal.")
    }

    @Test("dnsmasq never says that it is a router")
    func silence() throws {
        let bench = try bench()
        defer { bench.test.remove() }
        try bench.start(view(.stateful, reservations: [5: ["2001:db8::55"]]))
        // An answer to the solicitation would bring a route.
        #expect(try ask(bench, mac: 5)?.hasPrefix("2001:db8::55") == true)
        #expect(try bench.test.run("ip -6 route show default", in: bench.client).text.isEmpty)
    }
}
