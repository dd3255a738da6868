import HostModel
import NetworkModel
import Testing

@testable import Converters

/// What an instance that holds more connections than its share may still do.
extension SecurityGroupPacketTests {
    @Test("An instance beyond its share goes on with what it has and begins nothing, nobody else notices, and the kernel ends it by itself")
    func connectionShares() throws {
        let bench = try Bench()
        defer { bench.test.remove() }
        let (heavy, second, third) = (try bench.instance(7), try bench.instance(8), try bench.instance(9))
        let open = HostSecurityGroup(
            id: group, rules: [.init(direction: .egress, ipVersion: 4), .init(direction: .ingress, ipVersion: 4)])
        func run(_ script: String) throws { try bench.test.expect("nft -f \(try bench.test.write("shares.nft", script))", in: bench.host) }
        for isSecure in [true, false] {
            try bench.load([
                network(), .securityGroup(open), .port(port(7, isSecure: isSecure, groups: [group])), .port(port(8, groups: [group])),
                .port(port(9, groups: [group])),
            ])
            let talk = try Conversation(
                bench.test, "talk-\(isSecure)", from: heavy, to: second, at: "10.0.0.8", port: isSecure ? 7001 : 7002)
            #expect(try talk.say("before"))
            for _ in 1...2 { try run(ConnectionShareFilter.script([tap(7)], milliseconds: 60_000, hasBridgeConntrack: false)) }
            #expect(try talk.say("meanwhile"))
            #expect(try !bench.pings(heavy, "10.0.0.8"))
            #expect(try !bench.pings(third, "10.0.0.7"))
            #expect(try bench.pings(third, "10.0.0.8"))
            #expect(try bench.pings(second, "10.0.0.9"))
            #expect(try bench.test.run("arping -q -c 1 -w 2 -I eth 10.0.0.8", in: heavy).status == 0)
            let counter = "nft list counter \(ConnectionShareFilter.table) \(ConnectionShareFilter.counter) | grep -q 'packets [1-9]'"
            #expect(try bench.test.run(counter, in: bench.host).status == 0)
            try run(ConnectionShareFilter.removal)
            #expect(try bench.pings(heavy, "10.0.0.8"))
            #expect(try bench.pings(third, "10.0.0.7"))
        }
        try run(ConnectionShareFilter.script([tap(7)], milliseconds: 300, hasBridgeConntrack: false))
        #expect(try eventually { try bench.pings(heavy, "10.0.0.8") })
    }
}
