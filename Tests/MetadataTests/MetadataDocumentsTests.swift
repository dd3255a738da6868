import APISchema
import Addressing
import HostModel
import Metadata
import NetworkModel
import Testing

/// What instances are told.
@Suite struct MetadataDocumentsTests {
    private let facts = InstanceFacts(
        hostname: "vm1", publicKeys: ["bert": "ssh-rsa BBBB bert", "anna": "ssh-ed25519 AAAA anna"], userData: "IyEvYmluL3NoCg==",
        meta: ["role": "web"], vendorData: #"{"cloud-init":"x"}"#)

    private func subject(_ others: FeedMessage..., facts: InstanceFacts? = nil, floating: String? = nil) throws -> InstanceSubject {
        let directory = InstanceDirectory()
        directory.apply([port(5, "10.0.0.5", "fd00::5", floating: floating, facts: facts)] + others)
        return try #require(directory.instance(on: networkID(1), at: ip("10.0.0.5")))
    }

    private func text(_ path: String, _ subject: InstanceSubject) -> String? {
        switch MetadataDocuments.document(at: path, for: subject) {
        case .text(let text), .json(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case nil: nil
        }
    }

    @Test("EC2's tree lists what there is, and has it as text; slashes at the end or doubled make no difference")
    func ec2() throws {
        let subject = try subject(facts: facts, floating: "203.0.113.7")
        #expect(text("/", subject)?.split(separator: "\n").last == "openstack")
        #expect(text("/latest/", subject) == "meta-data/\nuser-data")
        let names = [
            "hostname", "instance-id", "ipv6", "local-hostname", "local-ipv4", "mac", "public-ipv4", "public-keys/",
        ]
        for path in ["/latest/meta-data", "/latest/meta-data/", "//2009-04-04//meta-data//"] {
            #expect(text(path, subject)?.split(separator: "\n").map(String.init) == names)
        }
        let values = [
            "instance-id": "device", "local-hostname": "vm1", "hostname": "vm1", "local-ipv4": "10.0.0.5", "public-ipv4": "203.0.113.7",
            "mac": "fa:16:3e:00:00:05", "ipv6": "fd00::5", "public-keys": "0=anna\n1=bert", "public-keys/0/": "openssh-key",
            "public-keys/1/openssh-key": "ssh-rsa BBBB bert",
        ]
        for (path, value) in values { #expect(text("/latest/meta-data/\(path)", subject) == value, "\(path)") }
        #expect(text("/latest/user-data", subject) == "#!/bin/sh\n")
        for path in ["/latest/meta-data/nothing", "/latest/meta-data/mac/x", "/1999-01-01/meta-data", "/latest/user-data/x", "/latest/x"] {
            #expect(text(path, subject) == nil, "\(path)")
        }
    }

    @Test("Without facts an instance is called as by DHCP, and has no keys and no user data")
    func bare() throws {
        let subject = try subject()
        #expect(text("/latest/", subject) == "meta-data/")
        #expect(text("/latest/meta-data/", subject)?.contains("public") == false)
        #expect(text("/latest/meta-data/local-hostname", subject) == "host-5")
        #expect(text("/latest/user-data", subject) == nil)
        #expect(text("/openstack/latest/user_data", subject) == nil)
        #expect(text("/openstack/latest", subject) == "meta_data.json\nnetwork_data.json\nvendor_data.json\nvendor_data2.json")
        #expect(text("/openstack/latest/vendor_data.json", subject) == "{}")
    }

    @Test("OpenStack's documents are those that cloud-init asks for, in every version")
    func openStack() throws {
        let subject = try subject(facts: facts)
        let versions = try #require(text("/openstack", subject)).split(separator: "\n")
        #expect(versions.contains("2018-08-27") && versions.contains("latest"))
        for version in versions {
            let json = try JSONParser.parse(try #require(text("/openstack/\(version)/meta_data.json", subject)))
            #expect(json["uuid"] == "device" && json["hostname"] == "vm1" && json["name"] == "vm1" && json["project_id"] == "p")
            #expect(json["meta"] == ["role": "web"] && json["public_keys"]?["anna"] == "ssh-ed25519 AAAA anna")
            #expect(json["keys"]?.arrayValue?.first == ["name": "anna", "type": "ssh", "data": "ssh-ed25519 AAAA anna"])
        }
        #expect(text("/openstack/latest/user_data", subject) == "#!/bin/sh\n")
        #expect(text("/openstack/latest/vendor_data.json", subject) == #"{"cloud-init":"x"}"#)
        #expect(text("/openstack/1999-01-01/meta_data.json", subject) == nil)
        #expect(text("/openstack/latest/meta_data.json/x", subject) == nil)
    }

    @Test("network_data.json says of each port what gives it its addresses, and the addresses where nothing does")
    func networks() throws {
        let router = HostRouter(
            id: networkID(70),
            interfaces: [
                .init(
                    id: portID(71), networkID: networkID(2), mac: mac(71), addresses: [InterfaceAddress(ip("10.0.2.1"), prefixLength: 24)],
                    gateways: [ip("10.0.2.1")], mtu: 1400)
            ])
        let subject = try subject(
            service(subnet("10.0.0.0/24", gateway: "10.0.0.1", dns: ["192.0.2.53"]), subnet("fd00::/64", mode: .stateless)),
            .put(.router(router)), port(6, on: 2, "10.0.2.6"))
        let json = try JSONParser.parse(try #require(text("/openstack/latest/network_data.json", subject)))
        let links = try #require(json["links"]?.arrayValue)
        #expect(links.map { $0["ethernet_mac_address"] } == ["fa:16:3e:00:00:05", "fa:16:3e:00:00:06"])
        #expect(links.map { $0["mtu"] } == [1450, 1400])
        let networks = try #require(json["networks"]?.arrayValue)
        #expect(networks.map { $0["type"] } == ["ipv4_dhcp", "ipv6_dhcpv6-stateless", "ipv4"])
        #expect(networks.map { $0["link"] } == [links[0]["id"], links[0]["id"], links[1]["id"]])
        #expect(networks[2]["ip_address"] == "10.0.2.6" && networks[2]["netmask"] == "255.255.255.0")
        #expect(networks[2]["routes"] == [["network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.2.1"]])
        #expect(json["services"] == [["type": "dns", "address": "192.0.2.53"]])
    }

    @Test("Only headers that metadata clients need go on to Nova, in no spelling one that says who asks")
    func headers() {
        for name in ["accept", "user-agent", "content-type"] { #expect(MetadataHeaders.isPassedToNova(name)) }
        for name in [
            "x-instance-id", "x_instance_id", "x-tenant-id", "x-forwarded-for", "forwarded", "x-neutron-network-id", "connection", "host",
        ] {
            #expect(!MetadataHeaders.isPassedToNova(name))
        }
    }
}
