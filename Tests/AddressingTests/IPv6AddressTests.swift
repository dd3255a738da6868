import Addressing
import Testing

@Suite("IPv6 addresses")
struct IPv6AddressTests {
    @Test(
        "An address is printed as RFC 5952 asks",
        arguments: [
            // 4.1: leading zeros go.
            ("2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"),
            // 4.2.1: the shortening is as long as it can be.
            ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"), ("2001:db8::0:1", "2001:db8::1"),
            // 4.2.2: a single zero group is not shortened.
            ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            // 4.2.3: the longest run is shortened, the first of equal ones.
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            // 4.3: lower case.
            ("2001:DB8::AAAA", "2001:db8::aaaa"),
            // 5: mapped IPv4 addresses.
            ("::ffff:c000:0201", "::ffff:192.0.2.1"), ("0:0:0:0:0:ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::ffff:0:0", "::ffff:0.0.0.0"),
            // Runs at the ends.
            ("0:0:0:0:0:0:0:0", "::"), ("0:0:0:0:0:0:0:1", "::1"), ("1:0:0:0:0:0:0:0", "1::"), ("fe80:0:0:0:0:0:0:0", "fe80::"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func prints(text: String, canonical: String) throws {
        let address = try #require(IPv6Address(text))
        #expect(address.description == canonical)
        #expect(IPv6Address(canonical) == address)
    }

    @Test(
        "An IPv4 tail stands for the last two groups",
        arguments: [
            ("64:ff9b::192.0.2.33", 0x0064_FF9B_0000_0000_0000_0000_C000_0221), ("::1.2.3.4", 0x0102_0304),
            ("1:2:3:4:5:6:7.8.9.10", 0x0001_0002_0003_0004_0005_0006_0708_090A),
        ] as [(String, UInt128)])
    func parsesIPv4Tail(text: String, number: UInt128) {
        #expect(IPv6Address(text)?.rawValue == number)
    }

    @Test(
        "A text that RFC 4291 does not allow is refused",
        arguments: [
            "", ":", ":::", "::1::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            ":1:2:3:4:5:6:7", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "12345::", "g::", "::+1", "-0::1", "::-1", "fe80::1%eth0", "::1 ",
            " ::1",
            "::1/128", "[::1]", "1.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::1.2.3.04", "1:2:3:4:5:6:7:1.2.3.4", "::١",
        ])
    func refuses(text: String) {
        #expect(IPv6Address(text) == nil)
    }

    @Test("Groups and octets are in network order")
    func parts() throws {
        let address = try #require(IPv6Address("2001:db8::a0b:c"))
        #expect(address.groups == [0x2001, 0x0DB8, 0, 0, 0, 0, 0x0A0B, 0x000C])
        #expect(address.octets == [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0x0A, 0x0B, 0x00, 0x0C])
    }

    @Test("Addresses sort by number")
    func sorts() {
        let sorted = ["ff02::1", "::2", "2001:db8::", "::1"].compactMap { IPv6Address($0) }.sorted().map(\.description)
        #expect(sorted == ["::1", "::2", "2001:db8::", "ff02::1"])
    }
}
