import Addressing
import Testing

@testable import Operations

@Suite struct PrefixSetTests {
    private func set(_ texts: String...) -> PrefixSet {
        let prefixes = texts.compactMap { IPPrefix($0) }
        return PrefixSet(prefixes, version: prefixes.first?.version ?? .v4)
    }

    @Test("What is left of a set is said with the fewest prefixes")
    func subtraction() {
        #expect(set("10.0.0.0/25", "10.0.0.128/25").prefixes.map(\.description) == ["10.0.0.0/24"])
        #expect(
            set("10.0.0.0/24").subtracting(set("10.0.0.64/26")).prefixes.map(\.description) == ["10.0.0.0/26", "10.0.0.128/25"])
        #expect(set("10.0.0.0/24").subtracting(set("10.0.0.0/16")).prefixes.isEmpty)
        #expect(set("10.0.0.0/24").subtracting(set("10.0.0.255/32")).prefixes.last?.description == "10.0.0.254/32")
        #expect(set("::/0").prefixes.map(\.description) == ["::/0"])
        #expect(set("::/0").subtracting(set("8000::/1")).prefixes.map(\.description) == ["::/1"])
        #expect(set("ffff::/16", "fffe::/16").prefixes.map(\.description) == ["fffe::/15"])
        #expect(set("0.0.0.0/0").subtracting(set("255.255.255.255/32")).prefixes.count == 32)
    }

    @Test("Sets contain and miss each other as their addresses do")
    func relations() {
        #expect(set("10.0.0.0/16").contains(set("10.0.3.0/24", "10.0.9.0/24")))
        #expect(!set("10.0.0.0/16").contains(set("10.0.3.0/24", "10.1.0.0/24")))
        #expect(set("10.0.0.0/16").isDisjoint(with: set("10.1.0.0/16", "2001:db8::/32")))
        #expect(!set("10.0.0.0/16").isDisjoint(with: set("10.0.0.1/32")))
        #expect(set("10.0.0.0/16").isDisjoint(with: set("2001:db8::/32")))
    }

    @Test("Subtraction agrees with counting address by address", arguments: 1...20)
    func oracle(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func prefixes(_ count: Int) -> [IPPrefix] {
            (0..<count).compactMap { _ in IPPrefix("10.0.0.\(random(256))/\(25 + random(8))") }
        }
        let (some, others) = (prefixes(6), prefixes(6))
        let rest = PrefixSet(some, version: .v4).subtracting(PrefixSet(others, version: .v4)).prefixes
        for number in 0..<256 {
            guard let address = IPAddress("10.0.0.\(number)") else { continue }
            let expected = some.contains { $0.contains(address) } && !others.contains { $0.contains(address) }
            #expect(rest.count { $0.contains(address) } == (expected ? 1 : 0), "\(address)")
        }
    }
}
