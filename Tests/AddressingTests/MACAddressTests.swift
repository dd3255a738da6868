import Addressing
import Testing

@Suite("MAC addresses")
struct MACAddressTests {
    @Test("Six octets are read in either case and printed in lower case")
    func parses() throws {
        let address = try #require(MACAddress("FA:16:3e:00:aB:7F"))
        #expect(address.rawValue == 0xFA16_3E00_AB7F)
        #expect(address.description == "fa:16:3e:00:ab:7f")
        #expect(address.octets == [0xFA, 0x16, 0x3E, 0x00, 0xAB, 0x7F])
    }

    @Test(
        "A text in another form is refused",
        arguments: [
            "", "fa:16:3e:00:00", "fa:16:3e:00:00:00:00", "fa-16-3e-00-00-00", "fa163e000000", "fa:16:3e:0:0:0:0:0", "fa:16:3e:00:00:0g",
            "fa:16:3e:00:00:+1", ":fa:16:3e:00:00:0", "fa:16:3e:00:00:0 ", "fa:16:3e:00:00::0",
        ])
    func refuses(text: String) {
        #expect(MACAddress(text) == nil)
    }

    @Test("The group bit of the first octet makes an address multicast")
    func multicast() {
        #expect(MACAddress.broadcast.isMulticast)
        #expect(MACAddress("01:00:5e:00:00:12")?.isMulticast == true)
        #expect(MACAddress("fa:16:3e:00:00:01")?.isMulticast == false)
        #expect(MACAddress.zero.description == "00:00:00:00:00:00")
        #expect(MACAddress.broadcast.description == "ff:ff:ff:ff:ff:ff")
    }

    @Test("Addresses sort by number")
    func sorts() {
        let sorted = ["fa:16:3e:00:01:00", "fa:16:3e:00:00:ff", "00:00:5e:00:01:01"].compactMap { MACAddress($0) }.sorted()
        #expect(sorted.map(\.description) == ["00:00:5e:00:01:01", "fa:16:3e:00:00:ff", "fa:16:3e:00:01:00"])
    }

    @Test(
        "SLAAC's interface identifier inverts the universal bit and puts ff:fe in the middle (RFC 4291, appendix A)",
        arguments: [
            ("34:56:78:9a:bc:de", "2001:db8::/64", "2001:db8::3656:78ff:fe9a:bcde"),
            ("fa:16:3e:12:34:56", "fe80::/64", "fe80::f816:3eff:fe12:3456"), ("02:00:00:00:00:01", "fd00:1::/32", "fd00:1::ff:fe00:1"),
        ])
    func eui64(mac: String, prefix: String, expected: String) throws {
        let mac = try #require(MACAddress(mac))
        let prefix = try #require(IPPrefix(prefix))
        #expect(mac.eui64(in: prefix) == IPAddress(expected))
    }

    @Test("There is no SLAAC address in an IPv4 prefix or behind a prefix longer than /64")
    func noEUI64() throws {
        let mac = try #require(MACAddress("fa:16:3e:12:34:56"))
        #expect(try mac.eui64(in: prefix("10.0.0.0/24")) == nil)
        #expect(try mac.eui64(in: prefix("2001:db8::/65")) == nil)
    }
}
