import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct PortTests {
    @Test("A port gets an address, a MAC address of ours, and the project's default group", arguments: Backend.allCases)
    func created(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let port = try await cloud.port(on: network, ["name": "a"])
        #expect(port.fixedIPs.map(\.subnetID) == [subnet.id])
        #expect(subnet.allocationPools[0].contains(port.fixedIPs[0].address))
        #expect(port.mac.description.hasPrefix("fa:16:3e:"))
        let groups = try await cloud.list(SecurityGroup.self)
        #expect(groups.map(\.name) == ["default"])
        #expect(port.securityGroupIDs == groups.map(\.id))
        #expect(port.vifType == "unbound")
        #expect(port.status == .down)
        #expect(try await cloud.show(port) == port)
    }

    @Test("A hundred ports created at once have a hundred addresses", arguments: Backend.allCases)
    func concurrent(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, "10.0.0.0/24", ["enable_dhcp": false])
        let addresses = try await withThrowingTaskGroup(of: IPAddress?.self) { group in
            for _ in 0..<100 { group.addTask { try await cloud.port(on: network).fixedIPs.first?.address } }
            return try await group.reduce(into: [IPAddress?]()) { $0.append($1) }
        }
        #expect(Set(addresses.compactMap(\.self)).count == 100)
        #expect(Set(try await cloud.list(Port.self).map(\.mac)).count == 100)
    }

    @Test(
        "A pool with five addresses serves exactly five of twenty that come at once; a released one is given again",
        arguments: Backend.allCases)
    func exhausted(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network, "10.0.0.0/29", ["enable_dhcp": false])
        let errors = try await withThrowingTaskGroup(of: APIError?.self) { group in
            for _ in 0..<20 { group.addTask { try await apiError { try await cloud.port(on: network) } } }
            return try await group.reduce(into: [APIError]()) { if let error = $1 { $0.append(error) } }
        }
        #expect(errors.count == 15)
        #expect(Set(errors.map(\.type)) == ["IpAddressGenerationFailure"])
        #expect(errors.first?.message == "No more IP addresses available on network \(network.id).")
        #expect(errors.first?.status == 409)
        let ports = try await cloud.list(Port.self)
        #expect(ports.count == 5)
        try await cloud.delete(ports[2])
        #expect(try await cloud.port(on: network).fixedIPs.map(\.address) == ports[2].fixedIPs.map(\.address))
    }

    @Test("The pools of a subnet are used in their order, and a second subnet when the first is full")
    func order() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let pools: JSONValue = [["start": "10.0.0.10", "end": "10.0.0.11"], ["start": "10.0.0.20", "end": "10.0.0.20"]]
        _ = try await cloud.subnet(on: network, "10.0.0.0/24", ["allocation_pools": pools, "enable_dhcp": false])
        _ = try await cloud.subnet(on: network, "10.0.1.0/24", ["enable_dhcp": false])
        var addresses: [String] = []
        for _ in 0..<4 { addresses += try await cloud.port(on: network).fixedIPs.map(\.address.description) }
        #expect(Set(addresses.prefix(2)) == ["10.0.0.10", "10.0.0.11"])
        #expect(addresses[2] == "10.0.0.20")
        #expect(addresses[3].hasPrefix("10.0.1."))
    }

    @Test("A chosen address must be of a subnet and free", arguments: Backend.allCases)
    func chosen(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        func ask(_ entry: JSONValue) async throws -> APIError? {
            try await apiError { try await cloud.port(on: network, ["fixed_ips": [entry]]) }
        }
        let port = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.200"]]])
        #expect(port.fixedIPs.map(\.address.description) == ["10.0.0.200"])
        #expect(
            try await ask(["ip_address": "10.0.0.200"])?.message
                == "Unable to complete operation for network \(network.id). The IP address 10.0.0.200 is in use.")
        #expect(try await ask(["ip_address": "10.0.0.200"])?.status == 409)
        #expect(try await ask(["ip_address": "10.1.0.1"])?.type == "InvalidIpForNetwork")
        #expect(try await ask(["subnet_id": .string(subnet.id.description), "ip_address": "10.1.0.1"])?.type == "InvalidIpForSubnet")
        #expect(try await ask(["ip_address": "10.0.0.255"])?.type == "InvalidIpForNetwork")
        #expect(try await cloud.list(Port.self).count == 1)
    }

    @Test("A subnet of an address that is nowhere, or another project's own, is not found; one of another network is invalid")
    func chosenSubnets() async throws {
        let cloud = try Cloud()
        let owner = Caller(userID: "u", projectID: "p1", isAdmin: false, roles: ["member", "reader"])
        let network = try await cloud.create(Network.self, ["name": "n"], as: owner)
        _ = try await cloud.subnet(on: network)
        let elsewhere = try await cloud.subnet(on: try await cloud.create(Network.self, ["name": "m"], as: owner), "10.0.1.0/24")
        let foreign = try await cloud.network(["project_id": "p2"])
        let hidden = try await cloud.subnet(on: foreign, "10.0.2.0/24", ["project_id": "p2"])
        let (outside, _) = try await cloud.externalNetwork()
        func refusal(of subnet: String) async throws -> [APIError?] {
            let id = JSONValue.string(subnet)
            let port: [String: JSONValue] = ["network_id": .string(network.id.description), "fixed_ips": [["subnet_id": id]]]
            let gateway: JSONValue = ["network_id": .string(outside.id.description), "external_fixed_ips": [["subnet_id": id]]]
            return [
                try await apiError { try await cloud.create(Port.self, port, as: owner) },
                try await apiError {
                    try await cloud.create(
                        FloatingIP.self, ["floating_network_id": .string(outside.id.description), "subnet_id": id], as: owner)
                },
                try await apiError { try await cloud.router(["external_gateway_info": gateway]) },
            ]
        }
        let nowhere = network.id.description
        #expect(
            try await refusal(of: nowhere)
                == Array(
                    repeating: APIError(status: 404, type: "SubnetNotFound", message: "Subnet \(nowhere) could not be found."), count: 3))
        #expect(try await refusal(of: hidden.id.description).prefix(2).map { $0?.status } == [404, 404])
        let invalid = try await refusal(of: elsewhere.id.description)
        #expect(invalid.map { $0?.status } == [400, 400, 400])
        #expect(invalid.allSatisfy { $0?.message.hasSuffix("because fixed_ips included invalid subnet \(elsewhere.id).") == true })
    }

    @Test("A MAC address is given once per network")
    func macAddresses() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let other = try await cloud.network()
        _ = try await cloud.port(on: network, ["mac_address": "fa:16:3e:00:00:01"])
        let error = try await apiError { try await cloud.port(on: network, ["mac_address": "FA:16:3E:00:00:01"]) }
        #expect(
            error?.message
                == "Unable to complete operation for network \(network.id). The mac address fa:16:3e:00:00:01 is in use.")
        #expect(error?.type == "MacAddressInUse")
        #expect(try await cloud.port(on: other, ["mac_address": "fa:16:3e:00:00:01"]).mac.description == "fa:16:3e:00:00:01")
    }

    @Test("New addresses of a port replace the old ones, and what it keeps it keeps")
    func readdressed() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let port = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.5"]]])
        let more = try await cloud.update(port, ["fixed_ips": [["ip_address": "10.0.0.5"], ["ip_address": "10.0.0.6"]]])
        #expect(more.fixedIPs.map(\.address.description) == ["10.0.0.5", "10.0.0.6"])
        #expect(more.standard.revisionNumber == 2)
        let taken = try await apiError { try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.6"]]]) }
        #expect(taken?.type == "IpAddressInUse")
        let less = try await cloud.update(more, ["fixed_ips": [["ip_address": "10.0.0.6"]]])
        #expect(less.fixedIPs == [FixedIP(subnetID: subnet.id, address: try #require(IPAddress("10.0.0.6")))])
        _ = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.5"]]])
        let refused = try await apiError { try await cloud.update(less, ["fixed_ips": [["ip_address": "10.0.0.5"]]]) }
        #expect(refused?.type == "IpAddressInUse")
        #expect(try await cloud.show(less) == less)
    }

    @Test("Port security, groups and address pairs decide over each other")
    func security() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let open = try await cloud.port(on: network, ["port_security_enabled": false])
        #expect(open.securityGroupIDs.isEmpty)
        let group = try await cloud.create(SecurityGroup.self, ["name": "web"])
        let groupID = JSONValue.string(group.id.description)
        let withGroup = try await apiError {
            try await cloud.port(on: network, ["port_security_enabled": false, "security_groups": [groupID]])
        }
        #expect(withGroup?.type == "PortSecurityAndIPRequiredForSecurityGroups")
        #expect(withGroup?.status == 400)
        let port = try await cloud.port(on: network, ["security_groups": [groupID]])
        #expect(port.securityGroupIDs == [group.id])
        #expect(
            try await apiError { try await cloud.update(port, ["port_security_enabled": false]) }?.type
                == "PortSecurityPortHasSecurityGroup")
        let freed = try await cloud.update(port, ["port_security_enabled": false, "security_groups": []])
        #expect(!freed.isPortSecurityEnabled)
        let pair: JSONValue = [["ip_address": "10.0.0.9"]]
        #expect(
            try await apiError { try await cloud.update(freed, ["allowed_address_pairs": pair]) }?.type
                == "AddressPairAndPortSecurityRequired")
        let paired = try await cloud.port(on: network, ["allowed_address_pairs": pair])
        #expect(paired.allowedAddressPairs.map(\.mac) == [paired.mac])
        let unknown = try await apiError { try await cloud.port(on: network, ["security_groups": [.string(network.id.description)]]) }
        #expect(unknown?.message == "Security group \(network.id) does not exist")
        let many = JSONValue.array((1...11).map { ["ip_address": .string("10.0.0.\($0)")] })
        #expect(
            try await apiError { try await cloud.port(on: network, ["allowed_address_pairs": many]) }?.type == "AllowedAddressPairExhausted"
        )
    }

    @Test("Nothing is left of a port that could not be created", arguments: Backend.allCases)
    func nothingLeft(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        let requests = try [
            ["fixed_ips": [["ip_address": "10.0.0.7"]]], ["fixed_ips": [["ip_address": "10.0.0.7"]]],
        ].map { body in try ResourceRequest<Port>.create(["network_id": .string(network.id.description)].merging(body) { $1 }) }
        let error = try await apiError { try await cloud.operations.create(requests, caller: cloud.admin) }
        #expect(error?.type == "IpAddressInUse")
        #expect(try await cloud.list(Port.self).isEmpty)
        #expect(try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.7"]]]).fixedIPs.count == 1)
    }

    @Test("A port's quota counts the project's ports")
    func quota() async throws {
        let cloud = try Cloud { $0.defaultQuotas["port"] = 1 }
        let network = try await cloud.network()
        _ = try await cloud.port(on: network)
        let error = try await apiError { try await cloud.port(on: network) }
        #expect(error == APIError(status: 409, type: "OverQuota", message: "Quota exceeded for resources: ['port']."))
    }
}
