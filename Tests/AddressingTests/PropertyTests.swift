import Addressing
import Glibc
import Testing

/// Laws that hold for every value, tried on values from a seeded generator, with the C library as the second opinion.
@Suite("Properties of addresses")
struct PropertyTests {
    private static let rounds = 20_000

    @Test("Every value is read back from its own text", arguments: [1, 2, 3] as [UInt64])
    func roundTrips(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<Self.rounds {
            let address = Self.address(using: &generator)
            #expect(IPAddress(address.description) == address)
            #expect(IPAddress(version: address.version, number: address.number) == address)

            let length = Int.random(in: 0...address.version.addressBits, using: &generator)
            let interface = InterfaceAddress(address, prefixLength: length)
            #expect(InterfaceAddress(interface.description) == interface)
            #expect(IPPrefix(interface.prefix.description) == interface.prefix)

            let mac = MACAddress(rawValue: generator.next() >> 16)
            #expect(MACAddress(mac.description) == mac)
            #expect(MACAddress(mac.description.uppercased()) == mac)
        }
    }

    @Test("A prefix contains the address that it was made from, its ends, and not their neighbours", arguments: [4, 5] as [UInt64])
    func prefixesHoldTheirAddresses(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<Self.rounds {
            let address = Self.address(using: &generator)
            let length = Int.random(in: 0...address.version.addressBits, using: &generator)
            let prefix = InterfaceAddress(address, prefixLength: length).prefix
            #expect(prefix.contains(address))
            #expect(prefix.contains(prefix.address))
            #expect(prefix.contains(prefix.last))
            if let before = prefix.address.advanced(by: -1) { #expect(!prefix.contains(before)) }
            if let after = prefix.last.advanced(by: 1) { #expect(!prefix.contains(after)) }
        }
    }

    @Test("Removing an address takes exactly that one from a range", arguments: [6, 7] as [UInt64])
    func removingTakesOne(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let first = IPAddress.v4(IPv4Address(rawValue: UInt32.random(in: 0...0xFFFF_FF00, using: &generator)))
            let last = try #require(first.advanced(by: Int.random(in: 0...12, using: &generator)))
            let range = try #require(IPRange(first, last))
            let removed = try #require(first.advanced(by: Int.random(in: 0...13, using: &generator)))
            let left = range.removing(removed)
            for offset in 0..<Int(range.count) {
                let address = try #require(first.advanced(by: offset))
                #expect(left.filter { $0.contains(address) }.count == (address == removed ? 0 : 1))
            }
            #expect(left.reduce(0) { $0 + $1.count } == range.count - (range.contains(removed) ? 1 : 0))
        }
    }

    @Test("IPv6 addresses are printed as the C library prints them", arguments: [8, 9] as [UInt64])
    func printsLikeTheCLibrary(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<Self.rounds {
            let address = IPv6Address(rawValue: Self.sparseNumber(using: &generator))
            // The C library prints the deprecated "IPv4-compatible" addresses (::/96) in dotted form; RFC 5952 does not ask for it.
            guard address.rawValue >> 32 != 0 else { continue }
            #expect(address.description == Self.printedByCLibrary(address))
        }
    }

    @Test("Damaged texts are taken or refused as the C library takes or refuses them", arguments: [10, 11, 12] as [UInt64])
    func parsesLikeTheCLibrary(seed: UInt64) {
        let alphabet = Array("0123456789abcdefABCDEF::::....+-/ gx%".utf8)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<Self.rounds {
            var bytes = Array(Self.address(using: &generator).description.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let position = Int.random(in: 0...bytes.count, using: &generator)
                let byte = alphabet[Int.random(in: alphabet.indices, using: &generator)]
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes.insert(byte, at: position)
                case 1 where position < bytes.count: bytes[position] = byte
                case 2 where position < bytes.count: bytes.remove(at: position)
                default: break
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(IPAddress(text)?.octets == Self.parsedByCLibrary(text), "'\(text)'")
        }
    }

    private static func address(using generator: inout SeededGenerator) -> IPAddress {
        Bool.random(using: &generator)
            ? .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: generator.next())))
            : .v6(IPv6Address(rawValue: sparseNumber(using: &generator)))
    }

    /// A number with many zero groups, so that shortening has something to do.
    private static func sparseNumber(using generator: inout SeededGenerator) -> UInt128 {
        (0..<8).reduce(0 as UInt128) { number, _ in
            let group: UInt64
            switch Int.random(in: 0...3, using: &generator) {
            case 0: group = generator.next() & 0xFFFF
            case 1: group = generator.next() & 0xF
            default: group = Bool.random(using: &generator) ? 0 : [0, 0xFFFF, 1][Int.random(in: 0...2, using: &generator)]
            }
            return number << 16 | UInt128(group)
        }
    }

    private static func printedByCLibrary(_ address: IPv6Address) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, address.octets, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func parsedByCLibrary(_ text: String) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &octets) == 1 { return Array(octets.prefix(4)) }
        return inet_pton(AF_INET6, text, &octets) == 1 ? octets : nil
    }
}
