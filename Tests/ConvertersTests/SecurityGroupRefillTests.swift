import HostModel
import KernelInterface
import Testing

@testable import Converters
@testable import Drivers

/// Tables that are filled anew where they are (``FirewallScript/refill(of:holding:)``), in the kernel.
extension SecurityGroupPacketTests {
    @Test("A table that is filled anew holds what a fresh one does, whatever it held, and its counters go on")
    func refills() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let configurations = states.map { SecurityGroupConverter.convert(view($0), links: [:], settings) }
        try bench.load(states[0])
        try bench.test.expect("nft add rule bridge neutrino forward counter name spoofed_mac", in: bench.host)
        var before = configurations[0]
        for number in [0, 1, 2, 0, 3, 2, 1] {
            let script = zip(before, configurations[number]).map { FirewallScript.refill(of: $1, holding: FirewallContents(of: $0)) ?? "" }
            #expect(script.allSatisfy { !$0.isEmpty && !$0.contains("delete table") })
            try bench.test.expect("nft -f \(try bench.test.write("refill.nft", script.joined()))", in: bench.host)
            before = configurations[number]
            #expect(try ruleset(bench) == ruleset(bench, fresh: states[number]))
        }
    }

    @Test("No packet is lost while the tables are filled anew again and again")
    func refillUnderTraffic() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let items: [HostItem] = [
            network(), .securityGroup(defaultGroup(group)), .port(port(7, groups: [group])), .port(port(8, groups: [group])),
            member(group, port: 7), member(group, port: 8),
        ]
        let sender = try bench.instance(7)
        _ = try bench.instance(8)
        try bench.load(items)
        let tables = SecurityGroupConverter.convert(view(items), links: [:], settings)
        let refills = tables.compactMap { FirewallScript.refill(of: $0, holding: FirewallContents(of: $0)) }
        #expect(refills.count == tables.count)
        let script = try bench.test.write("refill.nft", refills.joined())
        let output = try bench.test.run(
            """
            ip netns exec \(sender) ping -n -q -i 0.0002 -w 60 10.0.0.8 & ping=$!
            for load in $(seq 20); do ip netns exec \(bench.host) nft -f \(script) || exit 1; done
            kill -INT $ping
            wait $ping
            """)
        #expect(output.status == 0, "\(output.text)")
        #expect(output.text.contains(" 0% packet loss"), "\(output.text)")
    }
}
