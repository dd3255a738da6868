import Addressing
import NetworkModel
import Testing

@testable import Election

@Suite("The datagram of a pulse")
struct PulseCodecTests {
    private func randomPulse(_ generator: inout SeededGenerator) -> Pulse {
        var pulse = Pulse(
            startID: generator.next(), hearsReceiver: Bool.random(using: &generator), ackStartID: generator.next(),
            ack: UInt32.random(in: 0 ... .max, using: &generator), latest: UInt32.random(in: 0 ... .max, using: &generator),
            base: UInt32.random(in: 0 ... .max, using: &generator), upTo: UInt32.random(in: 0 ... .max, using: &generator))
        for _ in 0..<Int.random(in: 0...20, using: &generator) {
            let isVersion6 = Bool.random(using: &generator)
            let number = UInt128(generator.next()) << 64 | UInt128(generator.next())
            let address: IPAddress =
                isVersion6 ? .v6(IPv6Address(rawValue: number)) : .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: number)))
            pulse.heard.append(Pulse.Heard(endpoint: address, isAlive: Bool.random(using: &generator)))
        }
        for _ in 0..<Int.random(in: 0...20, using: &generator) {
            pulse.entries.append(
                Pulse.Entry(
                    id: ResourceID(using: &generator), state: MemberState.allCases.randomElement(using: &generator) ?? .unknown,
                    isDraining: Bool.random(using: &generator), isYielding: Bool.random(using: &generator),
                    isTaking: Bool.random(using: &generator),
                    gateway: Reachability.allCases.randomElement(using: &generator) ?? .unknown,
                    term: UInt32.random(in: 0 ... .max, using: &generator), number: UInt32.random(in: 0 ... .max, using: &generator)))
        }
        return pulse
    }

    @Test("Whatever is encoded is decoded to the same")
    func roundTrip() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 {
            let pulse = randomPulse(&generator)
            let bytes = pulse.encoded()
            #expect(bytes.count <= Pulse.maximumBytes)
            #expect(Pulse(bytes) == pulse)
        }
    }

    @Test("An idle pulse takes 38 bytes, in the documented layout")
    func layout() {
        let pulse = Pulse(startID: 0x0102_0304_0506_0708, hearsReceiver: true, ackStartID: 9, ack: 1, latest: 2, base: 3, upTo: 4)
        let expected: [UInt8] = [
            0x4E, 0x45, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0,
        ]
        #expect(pulse.encoded() == expected)
    }

    @Test("A datagram cut anywhere, with more behind it, or of another version is nobody's")
    func truncation() {
        var generator = SeededGenerator(seed: 4)
        let bytes = randomPulse(&generator).encoded()
        for count in 0..<bytes.count { #expect(Pulse(Array(bytes[..<count])) == nil) }
        #expect(Pulse(bytes + [0]) == nil)
        var other = bytes
        other[2] = 2
        #expect(Pulse(other) == nil)
    }

    @Test("Garbage is decoded to nothing or to values, and never traps")
    func fuzz() {
        var generator = SeededGenerator(seed: 5)
        for round in 0..<20_000 {
            var bytes: [UInt8]
            if round.isMultiple(of: 2) {
                bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                if bytes.count > 3 { bytes.replaceSubrange(0..<3, with: [0x4E, 0x45, 1]) }
            } else {
                bytes = randomPulse(&generator).encoded()
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            if let pulse = Pulse(bytes) { #expect(pulse.entries.count <= 255) }
        }
    }

    @Test("A list of more hosts than fit is cut, and entries have room beside it")
    func manyHosts() {
        let heard = (0..<2000).map { Pulse.Heard(endpoint: .v6(IPv6Address(rawValue: UInt128($0))), isAlive: true) }
        let (count, bytes) = Pulse.encode(heard: heard)
        #expect(count == 35)
        #expect(bytes.count <= Pulse.maximumHeardBytes)
        #expect(Pulse.entryCapacity(heardBytes: bytes.count) >= 20)
    }

    @Test("An election takes garbage and forged pulses without a trap, and is not moved by strangers")
    func forgedPulses() {
        let group = SimulatedGroup(hosts: 3, routers: 3)
        group.startAndSettle()
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<5000 {
            var bytes = randomPulse(&generator).encoded()
            if Bool.random(using: &generator) { bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^= 0x55 }
            group.tell(1, .pulse(from: .v4(IPv4Address(rawValue: 1)), bytes: bytes))
        }
        group.run(5000)
        #expect(group.isSettled(on: 0))
        #expect(group.traffic.injections == 0)
        // From a peer's address they are believed, and must do no worse than confuse.
        for _ in 0..<2000 {
            var pulse = randomPulse(&generator)
            for index in pulse.entries.indices { pulse.entries[index].id = group.routers[index % 3] }
            group.tell(1, .pulse(from: group.endpoint(2), bytes: pulse.encoded()))
            group.run(1)
        }
        group.killAgent(2)
        group.run(100)
        group.startAgent(2)
        #expect(group.run(limit: 10_000) { group.isSettled() } != nil)
    }
}
