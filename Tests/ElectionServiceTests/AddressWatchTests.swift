import Addressing
import Election
import NetworkModel
import Testing

@testable import ElectionService

@Suite("Whether somebody else has an address")
struct AddressWatchTests {
    private static let own = MACAddress(rawValue: 0x02_00_00_00_00_01)
    private static let other = MACAddress(rawValue: 0x02_00_00_00_00_02)

    private static func address(_ number: Int) -> ExternalAddress {
        ExternalAddress(
            routerID: ResourceID(rawValue: 1), bridge: "brq1", address: .v4(IPv4Address(rawValue: 0xCB00_7100 | UInt32(number))), mac: own)
    }

    /// Asks once a second for so long; `answer` says who else answers.
    private static func run(
        _ watch: inout AddressWatch, from start: Int, seconds: Int, answer: (_ request: Int) -> MACAddress?
    ) -> (requests: Int, rivals: [Bool]) {
        var requests = 0
        var rivals: [Bool] = []
        for now in stride(from: start, to: start + seconds * 1000, by: 1000) {
            for address in watch.requests(now: now) {
                if let mac = answer(requests) { watch.answered(address.address, on: address.bridge, by: mac, now: now) }
                watch.answered(address.address, on: address.bridge, by: own, now: now)
                requests += 1
            }
            rivals.append(!watch.rivals.isEmpty)
        }
        return (requests, rivals)
    }

    @Test("An address that nobody else has is asked for at once, and then rarely")
    func alone() {
        var watch = AddressWatch()
        watch.update([Self.address(5)], now: 0)
        let result = Self.run(&watch, from: 0, seconds: 301) { _ in nil }
        #expect(result.requests == 11)
        #expect(result.rivals.allSatisfy { !$0 })
    }

    @Test("Another owner is known after its second answer, and forgotten after three requests without one")
    func conflict() {
        var watch = AddressWatch()
        watch.update([Self.address(5)], now: 0)
        let during = Self.run(&watch, from: 0, seconds: 20) { _ in Self.other }
        #expect(during.rivals.firstIndex(of: true) == 2)
        #expect(during.requests == 20)
        #expect(watch.rivals == [Self.address(5): Self.other])
        let after = Self.run(&watch, from: 20_000, seconds: 40) { _ in nil }
        // The first of these requests judges the last answer.
        #expect(after.rivals.firstIndex(of: false) == 3)
        #expect(watch.rivals.isEmpty)
        #expect(after.requests < 8, "rarely again")
    }

    @Test("A single answer, as from a router that an address is taken from, does not count")
    func moving() {
        var watch = AddressWatch()
        watch.update([Self.address(5)], now: 0)
        let result = Self.run(&watch, from: 0, seconds: 120) { $0 == 0 ? Self.other : nil }
        #expect(result.rivals.allSatisfy { !$0 })
    }

    @Test("One silence does not end a conflict, and an address that goes takes its conflict along")
    func lossAndLeaving() {
        var watch = AddressWatch()
        watch.update([Self.address(5)], now: 0)
        let result = Self.run(&watch, from: 0, seconds: 30) { $0 % 3 == 2 ? nil : Self.other }
        #expect(result.rivals.dropFirst(4).allSatisfy { $0 })
        watch.update([], now: 30_000)
        #expect(watch.rivals.isEmpty)
        #expect(watch.requests(now: 1_000_000).isEmpty)
    }

    @Test("However many addresses there are, no more than twenty are asked for in one second, and each in its turn")
    func bound() {
        var watch = AddressWatch()
        let addresses = (0..<250).map(Self.address)
        watch.update(addresses, now: 0)
        var asked: [ExternalAddress: Int] = [:]
        for now in stride(from: 0, to: 60_000, by: 1000) {
            let requests = watch.requests(now: now)
            #expect(requests.count <= AddressWatch.maximumRequests)
            for address in requests { asked[address, default: 0] += 1 }
        }
        #expect(asked.count == 250)
        #expect(asked.values.allSatisfy { $0 == 2 })
    }
}
