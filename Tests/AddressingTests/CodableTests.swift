import Addressing
import Foundation
import Testing

@Suite("Addresses in JSON")
struct CodableTests {
    private struct Everything: Codable, Equatable {
        var address: IPAddress
        var prefix: IPPrefix
        var interface: InterfaceAddress
        var mac: MACAddress
    }

    @Test("Values travel as the text that a person would write")
    func encodesAsText() throws {
        let value = Everything(
            address: try #require(IPAddress("2001:db8:0:0::1")), prefix: try #require(IPPrefix("10.0.0.7/24")),
            interface: try #require(InterfaceAddress("10.0.0.7/24")), mac: try #require(MACAddress("FA:16:3E:00:00:01")))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(value)
        let expected = #"{"address":"2001:db8::1","interface":"10.0.0.7/24","mac":"fa:16:3e:00:00:01","prefix":"10.0.0.0/24"}"#
        #expect(String(decoding: data, as: UTF8.self) == expected)
        #expect(try JSONDecoder().decode(Everything.self, from: data) == value)
    }

    @Test("A text that does not parse is an error that names it")
    func refusesText() throws {
        try expectRefusal(of: [IPAddress].self, #"["10.0.0.256"]"#, "'10.0.0.256' is not an IP address")
        try expectRefusal(of: [IPPrefix].self, #"["10.0.0.0/33"]"#, "'10.0.0.0/33' is not a CIDR")
        try expectRefusal(of: [InterfaceAddress].self, #"["10.0.0.1"]"#, "'10.0.0.1' is not an address with a prefix length")
        try expectRefusal(of: [MACAddress].self, #"["fa:16"]"#, "'fa:16' is not a MAC address")
    }

    @Test("A number where a text belongs is an error")
    func refusesNumbers() {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([IPAddress].self, from: Data("[1]".utf8)) }
    }

    private func expectRefusal<Value: Decodable>(of type: Value.Type, _ json: String, _ description: String) throws {
        let error = try #require(throws: DecodingError.self) { try JSONDecoder().decode(type, from: Data(json.utf8)) }
        guard case .dataCorrupted(let context) = error else {
            Issue.record("expected a dataCorrupted error, got \(error)")
            return
        }
        #expect(context.debugDescription == description)
    }
}
