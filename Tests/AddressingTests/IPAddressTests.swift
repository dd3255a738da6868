import Addressing
import Testing

@Suite("Addresses of either family")
struct IPAddressTests {
    @Test("The text decides the family")
    func decidesFamily() {
        #expect(IPAddress("192.0.2.1") == .v4(IPv4Address(192, 0, 2, 1)))
        #expect(IPAddress("::1") == .v6(IPv6Address(rawValue: 1)))
        #expect(IPAddress("host") == nil)
        #expect(IPAddress("") == nil)
    }

    @Test("A mapped IPv4 address stays an IPv6 address")
    func mappedIsIPv6() {
        #expect(IPAddress("::ffff:192.0.2.1")?.version == .v6)
        #expect(IPAddress("::ffff:192.0.2.1") != IPAddress("192.0.2.1"))
    }

    @Test("A number that does not fit the family gives no address")
    func numberMustFit() {
        #expect(IPAddress(version: .v4, number: 0xFFFF_FFFF)?.description == "255.255.255.255")
        #expect(IPAddress(version: .v4, number: 0x1_0000_0000) == nil)
        #expect(IPAddress(version: .v6, number: UInt128.max)?.description == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    }

    @Test("Advancing carries across octets and stops at the ends of the family")
    func advances() {
        #expect(IPAddress("10.0.0.255")?.advanced(by: 1) == IPAddress("10.0.1.0"))
        #expect(IPAddress("10.0.1.0")?.advanced(by: -1) == IPAddress("10.0.0.255"))
        #expect(IPAddress("10.0.0.7")?.advanced(by: 0) == IPAddress("10.0.0.7"))
        #expect(IPAddress("255.255.255.255")?.advanced(by: 1) == nil)
        #expect(IPAddress("0.0.0.0")?.advanced(by: -1) == nil)
        #expect(IPAddress("::")?.advanced(by: -1) == nil)
        #expect(IPAddress("::ffff:ffff:ffff:ffff")?.advanced(by: 1) == IPAddress("0:0:0:1::"))
        #expect(IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")?.advanced(by: 1) == nil)
        #expect(IPAddress("0.0.0.1")?.advanced(by: Int.max) == nil)
        #expect(IPAddress("0.0.0.1")?.advanced(by: Int.min) == nil)
    }

    @Test("Every IPv4 address sorts before every IPv6 address")
    func sortsByFamily() {
        let sorted = ["::", "255.255.255.255", "::1", "0.0.0.0"].compactMap { IPAddress($0) }.sorted().map(\.description)
        #expect(sorted == ["0.0.0.0", "255.255.255.255", "::", "::1"])
    }

    @Test("Octets are four or sixteen")
    func octets() {
        #expect(IPAddress("1.2.3.4")?.octets == [1, 2, 3, 4])
        #expect(IPAddress("::1")?.octets.count == 16)
    }

    @Test(
        "Multicast, loopback and unspecified addresses are known in both families",
        arguments: [
            ("224.0.0.0", true, false, false), ("239.255.255.255", true, false, false), ("223.255.255.255", false, false, false),
            ("240.0.0.0", false, false, false), ("ff02::1", true, false, false), ("fe80::1", false, false, false),
            ("127.0.0.1", false, true, false), ("127.255.255.255", false, true, false), ("128.0.0.0", false, false, false),
            ("::1", false, true, false), ("::2", false, false, false), ("0.0.0.0", false, false, true), ("::", false, false, true),
        ])
    func kinds(text: String, isMulticast: Bool, isLoopback: Bool, isUnspecified: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isMulticast == isMulticast)
        #expect(address.isLoopback == isLoopback)
        #expect(address.isUnspecified == isUnspecified)
    }

    @Test("Families know their size and their order")
    func versions() {
        #expect(IPVersion.v4.addressBits == 32)
        #expect(IPVersion.v6.addressBits == 128)
        #expect(IPVersion.v4 < .v6)
        #expect(IPVersion(rawValue: 6) == .v6)
        #expect(IPVersion(rawValue: 5) == nil)
    }
}
