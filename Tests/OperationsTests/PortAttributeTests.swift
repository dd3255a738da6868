import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite("Names, options and wishes of ports") struct PortAttributeTests {
    @Test("Options are added, replaced, and taken away by null; an empty value only where it means something", arguments: Backend.allCases)
    func extraDHCPOptions(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        var port = try await cloud.port(
            on: network,
            [
                "extra_dhcp_opts": [
                    ["opt_name": "bootfile-name", "opt_value": "pxelinux.0"], ["opt_name": "router", "opt_value": ""],
                    ["opt_name": "59", "opt_value": "tftp://[fd00::9]/boot", "ip_version": "6"], ["opt_name": "150", "opt_value": .null],
                ]
            ])
        let first = ExtraDHCPOption(name: "bootfile-name", value: "pxelinux.0")
        let blank = ExtraDHCPOption(name: "router", value: "")
        let sixth = ExtraDHCPOption(name: "59", value: "tftp://[fd00::9]/boot", version: .v6)
        #expect(port.extraDHCPOptions == [first, blank, sixth])
        let before = port.standard.revisionNumber
        port = try await cloud.update(
            port,
            [
                "extra_dhcp_opts": [
                    ["opt_name": "bootfile-name", "opt_value": "other.0"], ["opt_name": "59", "opt_value": .null, "ip_version": 6],
                    ["opt_name": "59", "opt_value": .null], ["opt_name": "tftp-server", "opt_value": "10.0.0.9"],
                ]
            ])
        let expected = [
            ExtraDHCPOption(name: "bootfile-name", value: "other.0"), blank, ExtraDHCPOption(name: "tftp-server", value: "10.0.0.9"),
        ]
        #expect(port.extraDHCPOptions == expected)
        #expect(port.standard.revisionNumber > before)
        #expect(try await cloud.update(port, ["extra_dhcp_opts": []]).extraDHCPOptions == expected)
        #expect(try await cloud.show(port).extraDHCPOptions == expected)
    }

    @Test(
        "What an option cannot be is refused in Neutron's words",
        arguments: [
            ("x", "Invalid input for operation: 'x' is not a list."),
            (["x"], "Invalid input for operation: No valid key specs matched for: x."),
            ([["opt_name": "a"]], "Invalid input for operation: No valid key specs matched for: {'opt_name': 'a'}."),
            (
                [["opt_name": "a", "opt_value": "b", "ip_version": 5]],
                "Invalid input for operation: No valid key specs matched for: {'ip_version': 5, 'opt_name': 'a', 'opt_value': 'b'}."
            ),
            (
                [["opt_name": "a", "opt_value": "b\nlog-dhcp"]],
                "Invalid input for operation: No valid key specs matched for: {'opt_name': 'a', 'opt_value': 'b\nlog-dhcp'}."
            ),
            (
                [["opt_name": "a", "opt_value": "b"], ["opt_name": "a", "opt_value": "b"]],
                "Invalid input for operation: Duplicate items in the list: '{'opt_name': 'a', 'opt_value': 'b'}'."
            ),
            (
                [["opt_name": " ", "opt_value": "b"]],
                "Invalid input for operation: No valid key specs matched for: {'opt_name': ' ', 'opt_value': 'b'}."
            ),
        ] as [(JSONValue, String)])
    func refusedOption(_ options: JSONValue, _ message: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let error = try await apiError { try await cloud.port(on: network, ["extra_dhcp_opts": options]) }
        #expect(error == APIError(status: 400, type: "InvalidInput", message: message))
    }

    @Test("A port is called by its name, or by each of its addresses", arguments: Backend.allCases)
    func names(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network(["dns_domain": "Net.Example."])
        #expect(network.dnsDomain == "net.example.")
        _ = try await cloud.subnet(on: network)
        var port = try await cloud.port(
            on: network, ["dns_name": "Web", "dns_domain": "port.example.", "fixed_ips": [["ip_address": "10.0.0.9"]]])
        #expect(port.dnsName == "web" && port.dnsDomain == "port.example.")
        #expect(assignment(port) == #"[{"ip_address":"10.0.0.9","hostname":"web","fqdn":"web.openstacklocal."}]"#)
        port = try await cloud.update(port, ["dns_name": ""])
        #expect(assignment(port) == #"[{"ip_address":"10.0.0.9","hostname":"host-10-0-0-9","fqdn":"host-10-0-0-9.openstacklocal."}]"#)
    }

    private func assignment(_ port: Port) -> String {
        var writer = JSONWriter()
        Port.table.write(port, fields: ["dns_assignment"], to: &writer)
        return String(writer.text.dropFirst(#"{"dns_assignment":"#.count).dropLast())
    }

    @Test(
        "What a name cannot be is refused in Neutron's words",
        arguments: [
            (["dns_name": "-a"], "dns_name", "'-a' not a valid PQDN or FQDN. Reason: Name '-a' must not start or end with a hyphen"),
            (
                ["dns_name": "a b"], "dns_name",
                "'a b' not a valid PQDN or FQDN. Reason: Name 'a b' must be 1-63 characters long, each of which can only be alphanumeric or a "
                    + "hyphen"
            ),
            (["dns_name": "a..b"], "dns_name", "'a..b' not a valid PQDN or FQDN. Reason: Encountered an empty component"),
            (["dns_name": "a.1"], "dns_name", "'a.1' not a valid PQDN or FQDN. Reason: TLD '1' must not be all numeric"),
            (["dns_name": 5], "dns_name", "'5' is not a valid string"),
            (
                ["dns_name": "a.example."], "dns_name",
                "The dns_name passed is a FQDN. Its higher level labels must be equal to the dns_domain option in neutron.conf, that has been "
                    + "set to 'openstacklocal'. It must also include one or more valid DNS labels to the left of 'openstacklocal'"
            ),
            (["dns_domain": "example"], "dns_domain", "'example' is not a FQDN"),
            (["dns_domain": "."], "dns_domain", "'.' not a valid PQDN or FQDN. Reason: Encountered an empty component"),
        ] as [([String: JSONValue], String, String)])
    func refusedName(_ body: [String: JSONValue], _ attribute: String, _ reason: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let error = try await apiError { try await cloud.port(on: network, body) }
        #expect(error == .invalidAttribute(attribute, reason))
    }

    @Test("A floating IP keeps a name with its domain, and neither without the other")
    func floatingNames() async throws {
        let cloud = try Cloud()
        let (network, _) = try await cloud.externalNetwork()
        let body: [String: JSONValue] = ["floating_network_id": .string(network.id.description)]
        let floating = try await cloud.create(FloatingIP.self, body.merging(["dns_name": "web", "dns_domain": "example.org."]) { $1 })
        #expect(try await cloud.show(floating).dnsName == "web")
        let alone = try await apiError { try await cloud.create(FloatingIP.self, body.merging(["dns_name": "web"]) { $1 }) }
        #expect(alone?.message == "Bad floatingip request: dns_name cannot be specified without a dns_domain.")
        let other = try await apiError { try await cloud.create(FloatingIP.self, body.merging(["dns_domain": "example.org."]) { $1 }) }
        #expect(other?.message == "Bad floatingip request: dns_domain cannot be specified without a dns_name.")
        let whole = try await apiError {
            try await cloud.create(FloatingIP.self, body.merging(["dns_name": "web.", "dns_domain": "example.org."]) { $1 })
        }
        #expect(whole == .invalidAttribute("dns_name", "'web.' is a FQDN. It should be a relative domain name"))
    }

    @Test(
        "A port without addresses on purpose says so, a MAC of null is a new one, and what is only kept is kept",
        arguments: Backend.allCases)
    func keptAttributes(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        #expect(try await cloud.port(on: network).addressAllocation == .immediate)
        let port = try await cloud.port(
            on: network,
            [
                "fixed_ips": [], "device_profile": "fpga", "numa_affinity_policy": "socket", "propagate_uplink_status": false,
                "hints": ["openvswitch": ["other_config": ["tx-steering": "hash"]]],
            ])
        let shown = try await cloud.show(port)
        #expect(shown.addressAllocation == .none && shown.deviceProfile == "fpga" && shown.numaAffinityPolicy == "socket")
        #expect(shown.hints == #"{"openvswitch":{"other_config":{"tx-steering":"hash"}}}"# && !shown.propagatesUplinkStatus)
        let changed = try await cloud.update(
            port, ["mac_address": .null, "data_plane_status": "DOWN", "hints": .null, "propagate_uplink_status": true])
        #expect(changed.mac != port.mac && changed.dataPlaneStatus == .down && changed.hints == nil && changed.propagatesUplinkStatus)
        let wrong = try await apiError { try await cloud.update(port, ["data_plane_status": "BROKEN"]) }
        #expect(wrong?.message == "Invalid input for data_plane_status. Reason: 'BROKEN' is not in ['ACTIVE', 'DOWN'].")
        let early = try await apiError { try await cloud.port(on: network, ["data_plane_status": "DOWN"]) }
        #expect(early?.message == "Attribute 'data_plane_status' not allowed in POST")
    }

    @Test(
        "What an allowed address pair cannot be is refused in Neutron's words",
        arguments: [
            ("x", "HTTPBadRequest", "Allowed address pairs must be a list."),
            ([["mac_address": "fa:16:3e:00:00:01"]], "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address"),
            ([["ip_address": "10.0.0.1", "cidr": "x"]], "HTTPBadRequest", "Unrecognized attribute(s) 'cidr'"),
            ([["ip_address": "cheese"]], "HTTPBadRequest", "'cheese' is not a valid IP address"),
            ([["ip_address": "10.0.0.1/33"]], "HTTPBadRequest", "'10.0.0.1/33' is not a valid IP subnet"),
            ([["ip_address": "224.0.0.5"]], "HTTPBadRequest", "IP 224.0.0.5 is a multicast address, which is not supported."),
            (
                [["ip_address": "192.0.0.0/2"]], "HTTPBadRequest",
                "Subnet 192.0.0.0/2 overlaps with multicast range 224.0.0.0/4, which is not supported."
            ),
            (
                [["ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"]], "HTTPBadRequest",
                "MAC address 01:00:5e:00:00:01 is a multicast address, which is not supported."
            ),
        ] as [(JSONValue, String, String)])
    func refusedPair(_ pairs: JSONValue, _ type: String, _ message: String) async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let error = try await apiError { try await cloud.port(on: network, ["allowed_address_pairs": pairs]) }
        #expect(error == APIError(status: 400, type: type, message: message))
        #expect(try await cloud.port(on: network, ["allowed_address_pairs": [["ip_address": "0.0.0.0/0"]]]).allowedAddressPairs.count == 1)
    }

    @Test(
        "A project's port cannot call itself a port of another project's router, neither from the start nor later",
        arguments: [
            DeviceOwner.routerInterface, DeviceOwner.haReplicatedInterface, DeviceOwner.routerGateway, DeviceOwner.haInterface,
            "network:router_interface_distributed", "network:router_centralized_snat",
        ])
    func foreignRouter(_ owner: String) async throws {
        let cloud = try Cloud()
        let other = Caller(projectID: "p2", isAdmin: false)
        let network = try await cloud.network(["project_id": "p2"])
        let foreign = try await cloud.router()
        let own = try await cloud.router(["project_id": "p2"])
        // Whether there is a router with an id is not told.
        let nothing = ResourceID(rawValue: 7)
        func refusal(_ id: ResourceID, _ body: () async throws -> Port) async throws {
            let error = try await apiError(body)
            #expect(
                error
                    == .conflict(
                        "DeviceIDNotOwnedByTenant",
                        "The following device_id \(id) is not owned by your project or matches another project router."))
        }
        func create(_ body: [String: JSONValue]) async throws -> Port {
            try await cloud.create(Port.self, ["network_id": .string(network.id.description)].merging(body) { $1 }, as: other)
        }
        let plain = try await create([:])
        let owned = try await create(["device_owner": .string(owner), "device_id": .string(own.id.description)])
        for id in [foreign.id, nothing] {
            let device: [String: JSONValue] = ["device_id": .string(id.description)]
            let both = device.merging(["device_owner": .string(owner)]) { $1 }
            try await refusal(id) { try await create(both) }
            try await refusal(id) { try await cloud.update(plain, both, as: other) }
            let named = try await create(device)
            try await refusal(id) { try await cloud.update(named, ["device_owner": .string(owner)], as: other) }
            try await refusal(id) { try await cloud.update(owned, device, as: other) }
        }
        // One that names no router, as ports of gateways outside the cloud do, is anybody's.
        #expect(try await create(["device_owner": .string(owner)]).deviceOwner == owner)
        #expect(try await cloud.show(foreign).standard.revisionNumber == foreign.standard.revisionNumber)
    }

    @Test("A port that says that it is a floating IP's is deleted, and the port that is one is not")
    func floatingIPPorts() async throws {
        let cloud = try Cloud()
        let (external, _) = try await cloud.externalNetwork()
        let floating = try await cloud.create(FloatingIP.self, ["floating_network_id": .string(external.id.description)])
        let network = try await cloud.network()
        let claim = try await cloud.port(
            on: network, ["device_owner": .string(DeviceOwner.floatingIP), "device_id": .string(floating.id.description)])
        try await cloud.delete(claim)
        let real = try #require(try await cloud.ports(ownedBy: DeviceOwner.floatingIP).first)
        #expect(real.id == floating.floatingPortID)
        #expect(try await apiError { try await cloud.delete(real) } == .servicePortInUse(real))
    }

    @Test("Lists find parts of addresses, empty texts, and what changed since a time", arguments: Backend.allCases)
    func filters(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let first = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.57"]], "tags": ["red", "blue"]])
        cloud.clock.advance(seconds: 60)
        let second = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.75"]], "device_id": "vm"])
        func found(_ name: String, _ value: String) async throws -> Set<ResourceID> {
            let query = try ListQuery.parse(
                [(name: name, value: value), (name: "network_id", value: network.id.description)], for: Port.self)
            return Set(
                try await cloud.operations.list(Port.self, query, caller: cloud.admin).filter { $0.deviceOwner != DeviceOwner.dhcp }.map(
                    \.id))
        }
        #expect(try await found("fixed_ips", "ip_address_substr=0.5") == [first.id])
        #expect(try await found("fixed_ips", "ip_address_substr=7") == [first.id, second.id])
        #expect(try await found("fixed_ips", "ip_address_substr=%") == [])
        #expect(try await found("device_id", "") == [first.id])
        #expect(try await found("tags", "red,blue") == [first.id])
        #expect(try await found("changed_since", second.standard.createdAt.description) == [second.id])
        let error = try await apiError { try await found("changed_since", "yesterday") }
        #expect(
            error?.message == "Invalid input for operation: The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ.")
    }

    @Test("A subnet is for owners of ports that there can be, and says whether its network is external")
    func subnets() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(
            on: network, "10.0.0.0/24", ["service_types": ["compute:nova", "network:routed"], "dns_publish_fixed_ip": true])
        #expect(subnet.serviceTypes == ["compute:nova", "network:routed"] && subnet.publishesFixedAddresses)
        let wrong = try await apiError { try await cloud.update(subnet, ["service_types": ["baremetal:none"]]) }
        #expect(wrong?.type == "InvalidSubnetServiceType")
        #expect(wrong?.message == "Subnet service type baremetal:none does not correspond to a valid device owner.")
        let number = try await apiError { try await cloud.update(subnet, ["service_types": [5]]) }
        #expect(number?.message == "Subnet service type 5 is not a string.")
        let text = try await apiError { try await cloud.update(subnet, ["service_types": "x"]) }
        #expect(text?.message == "Subnet service types must be a list.")
        let (_, external) = try await cloud.externalNetwork()
        #expect(try await cloud.show(external).isOnExternalNetwork)
        #expect(try await !cloud.show(subnet).isOnExternalNetwork)
        let query = try ListQuery.parse([(name: "router:external", value: "True")], for: Subnet.self)
        #expect(try await cloud.operations.list(Subnet.self, query, caller: cloud.admin).map(\.id) == [external.id])
    }
}
