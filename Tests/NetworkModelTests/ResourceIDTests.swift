import Foundation
import NetworkModel
import Testing

@Suite("Resource identities")
struct ResourceIDTests {
    private let text = "0f8b5a3c-9d21-4e67-8a10-c0ffee00beef"

    @Test("A UUID is read in either case and printed in lower case with hyphens")
    func parses() throws {
        let id = try #require(ResourceID(text))
        #expect(id.rawValue == 0x0F8B_5A3C_9D21_4E67_8A10_C0FF_EE00_BEEF)
        #expect(id.description == text)
        #expect(ResourceID(text.uppercased()) == id)
        #expect(ResourceID(rawValue: 0).description == "00000000-0000-0000-0000-000000000000")
        #expect(ResourceID(rawValue: UInt128.max).description == "ffffffff-ffff-ffff-ffff-ffffffffffff")
    }

    @Test(
        "A text in another form is refused",
        arguments: [
            "", "0f8b5a3c", "0f8b5a3c9d214e678a10c0ffee00beef", "{0f8b5a3c-9d21-4e67-8a10-c0ffee00beef}",
            "0f8b5a3c-9d21-4e67-8a10-c0ffee00bee",
            "0f8b5a3c-9d21-4e67-8a10-c0ffee00beef0", "0f8b5a3c-9d21-4e67-8a10-c0ffee00beeg", "0f8b5a3c-9d21-4e67-8a10c-0ffee00beef",
            "0f8b5a3c09d21-4e67-8a10-c0ffee00beef", "+f8b5a3c-9d21-4e67-8a10-c0ffee00beef", "0f8b5a3c-9d21-4e67-8a10-c0ffee00bee ",
        ])
    func refuses(text: String) {
        #expect(ResourceID(text) == nil)
    }

    @Test("A random identity is a version 4 UUID of the RFC's variant, and is read back from its text")
    func random() {
        var generator = SeededGenerator(seed: 42)
        var seen: Set<ResourceID> = []
        for _ in 0..<10_000 {
            let id = ResourceID(using: &generator)
            let characters = Array(id.description)
            #expect(characters[14] == "4")
            #expect("89ab".contains(characters[19]))
            #expect(ResourceID(id.description) == id)
            #expect(seen.insert(id).inserted)
        }
    }

    @Test("All bits of a random identity vary, except those of version and variant")
    func randomBits() {
        var generator = SeededGenerator(seed: 43)
        var ones: UInt128 = 0
        var zeros: UInt128 = 0
        for _ in 0..<1_000 {
            let id = ResourceID(using: &generator).rawValue
            ones |= id
            zeros |= ~id
        }
        let fixed: UInt128 = 0x0000_0000_0000_F000_C000_0000_0000_0000
        #expect(ones & zeros == ~fixed)
    }

    @Test("The part for device names is the first eleven characters, so that a name with a prefix fits fifteen")
    func devicePart() throws {
        let id = try #require(ResourceID(text))
        #expect(id.devicePart == "0f8b5a3c-9d")
        #expect("tap\(id.devicePart)".utf8.count == 14)
    }

    @Test("Identities sort as their texts do")
    func sorts() {
        var generator = SeededGenerator(seed: 44)
        let ids = (0..<500).map { _ in ResourceID(using: &generator) }
        #expect(ids.sorted().map(\.description) == ids.map(\.description).sorted())
    }

    @Test("An identity travels as its text, and a text that is no UUID is an error that names it")
    func codable() throws {
        let id = try #require(ResourceID(text))
        let data = try JSONEncoder().encode([id])
        #expect(String(decoding: data, as: UTF8.self) == "[\"\(text)\"]")
        #expect(try JSONDecoder().decode([ResourceID].self, from: data) == [id])
        let error = try #require(throws: DecodingError.self) {
            try JSONDecoder().decode([ResourceID].self, from: Data(#"["router1"]"#.utf8))
        }
        guard case .dataCorrupted(let context) = error else {
            Issue.record("expected a dataCorrupted error, got \(error)")
            return
        }
        #expect(context.debugDescription == "'router1' is not a UUID")
    }
}
