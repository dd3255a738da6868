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

    @Test("Nobody takes another's IPv6 address by rebinding it, as a relay, or with fragments that hide either")
    func foreignAddress() throws {
        let bench = try bench()
        defer { bench.test.remove() }
        let view = view(.stateful, reservations: [5: ["2001:db8::55"], 6: ["2001:db8::66"], 7: ["2001:db8::77"]])
        try bench.start(view)
        try bench.test.expect(
            "echo 0 > /proc/sys/net/ipv6/conf/eth/accept_dad; ip link set dev eth down; ip link set dev eth up", in: bench.client)
        #expect(try eventually { try bench.test.run("ip -6 addr show dev eth -tentative", in: bench.client).text.contains("fe80::") })
        let path = DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(networkID, bench.settings))
        func send(_ message: [UInt8]) throws {
            let text = message.map { "\\" + String($0, radix: 8) }.joined()
            try bench.test.expect("printf '\(text)' | socat -u - 'UDP6-SENDTO:[ff02::1:2%eth]:547,sourceport=546'", in: bench.client)
        }
        func isTaken(_ address: String) throws -> Bool { try bench.test.run("grep -q ' \(address) ' \(path)").status == 0 }
        let relayed = Self.relay(Self.message(1, from: 8, isRapid: true), mac: 7)

        let configuration = HostConverter.convert(view, bench.settings).configuration.namespaces[DHCPConverter.namespace(networkID)]
        let rules = firewallScript(try #require(configuration).firewall)
        try bench.test.expect("nft -f \(try bench.test.write("dhcp.nft", rules))", in: bench.server)
        func count(_ counter: String) throws -> Bool {
            try eventually {
                try bench.test.run("nft list counter ip6 neutrino_dhcp \(counter) | grep -q 'packets [1-9]'", in: bench.server).status == 0
            }
        }
        try send(Self.message(6, from: 5, for: "2001:db8::66"))
        try send(relayed)
        try bench.test.expect("ip addr add 2001:db8::9/64 dev eth nodad; ping -6 -n -c 1 -s 3000 -W 1 2001:db8::2; true", in: bench.client)
        #expect(try count("rebind") && count("relayed") && count("fragmented"))
        // What is allowed is answered, and behind what was sent before.
        #expect(try ask(bench, mac: 5)?.hasPrefix("2001:db8::55 ") == true)
        #expect(try !isTaken("2001:db8::66") && !isTaken("2001:db8::77"))
        #expect(try ask(bench, mac: 6)?.hasPrefix("2001:db8::66 ") == true)

        // Else the test would prove nothing.
        try bench.test.expect("nft delete table ip6 neutrino_dhcp", in: bench.server)
        try send(Self.message(6, from: 5, for: "2001:db8::88"))
        try send(relayed)
        #expect(try eventually { try isTaken("2001:db8::88") && isTaken("2001:db8::77") })
    }

    /// A DHCPv6 message (RFC 8415, section 8) of a client whose DUID is made of the number.
    private static func message(_ type: UInt8, from number: UInt8, for address: String? = nil, isRapid: Bool = false) -> [UInt8] {
        func option(_ code: UInt8, _ contents: [UInt8]) -> [UInt8] { [0, code, 0, UInt8(contents.count)] + contents }
        let wanted = address.map { option(5, ip($0).octets + [UInt8](repeating: 0, count: 8)) } ?? []
        let association = option(3, [0, 0, 0, number] + [UInt8](repeating: 0, count: 8) + wanted)
        return [type, 0, 0, number] + option(1, [0, 3, 0, 1, 2, 0, 0, 0, 0, number]) + option(8, [0, 0]) + (isRapid ? option(14, []) : [])
            + association
    }

    /// What a relay on the subnet sends on for a client with the MAC (RFC 6939).
    private static func relay(_ message: [UInt8], mac number: Int) -> [UInt8] {
        let hardware = [0, 1] + mac(number).octets
        return [12, 0] + ip("2001:db8::99").octets + ip("fe80::99").octets + [0, 79, 0, UInt8(hardware.count)] + hardware
            + [0, 9, 0, UInt8(message.count)] + message
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
