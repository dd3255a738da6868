import APISchema
import Foundation
import TestSupport
import Testing

/// The unmodified client, where scripts/setup puts it.
enum OpenStackClient {
    static let path: String? = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appendingPathComponent(".venv/bin/openstack").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
}

@Suite("The openstack client", .timeLimit(.minutes(15)))
struct OpenStackClientTests {
    private struct Cloud {
        let path: String
        let port: Int

        /// Runs a command; its JSON, or null when it prints nothing.
        @discardableResult
        func run(_ command: String, json: Bool = true, succeeds: Bool = true, sourceLocation: SourceLocation = #_sourceLocation)
            async throws -> JSONValue
        {
            let program = Program(
                path, command.split(separator: " ").map(String.init) + (json ? ["-f", "json"] : []),
                environment: ["OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:\(port)"])
            let (errors, output, code) = await program.end()
            let said = errors.joined(separator: "\n")
            #expect((code == 0) == succeeds, "openstack \(command): \(said)", sourceLocation: sourceLocation)
            return output.isEmpty ? .string(said) : try JSONParser.parse(output)
        }
    }

    @Test(
        "It drives networks, routers, floating IPs, security groups and agents",
        .enabled(if: OpenStackClient.path != nil, "the openstack client is not installed: run scripts/setup"))
    func drive() async throws {
        let path = try #require(OpenStackClient.path)
        try await withServer { client in
            let cloud = Cloud(path: path, port: client.port)
            let aliases = try await cloud.run("extension list --network").arrayValue?.compactMap { $0["Alias"]?.stringValue } ?? []
            #expect(Set(aliases).isSuperset(of: ["router", "security-group", "l3-ha", "standard-attr-tag"]))

            let network = try await cloud.run("network create --tag blue private")
            #expect(network["name"] == "private" && network["status"] == "ACTIVE" && network["tags"] == ["blue"])
            let subnet = try await cloud.run("subnet create --network private --subnet-range 10.0.0.0/24 inner")
            #expect(subnet["gateway_ip"] == "10.0.0.1" && subnet["enable_dhcp"] == true)
            let external = try await cloud.run(
                "network create --external --provider-network-type flat --provider-physical-network physnet1 public")
            #expect(external["router:external"] == true && external["provider:physical_network"] == "physnet1")
            try await cloud.run("subnet create --network public --subnet-range 203.0.113.0/24 --no-dhcp outer")
            #expect(try await cloud.run("network list --tags blue").arrayValue?.compactMap { $0["Name"] } == ["private"])

            for host in ["h1", "h2"] { try await HostAgent(client: client, host: host).report() }
            #expect(try await cloud.run("router create --ha r")["ha"] == true)
            try await cloud.run("router add subnet r inner", json: false)
            try await cloud.run("router set --external-gateway public r", json: false)
            let router = try await cloud.run("router show r")
            #expect(router["external_gateway_info"]?["network_id"] == external["id"])
            // The members' HA ports are listed as well, as administrators see them.
            #expect(router["interfaces_info"]?.arrayValue?.filter { $0["ip_address"] == "10.0.0.1" }.count == 1)
            let members = try await cloud.run("network agent list --router r --long").arrayValue ?? []
            #expect(members.count == 2 && members.allSatisfy { $0["HA State"] != nil && $0["Agent Type"] == "L3 agent" }, "\(members)")

            let port = try await cloud.run("port create --network private --fixed-ip subnet=inner,ip-address=10.0.0.50 p")
            #expect(port["fixed_ips"]?.arrayValue?.first?["ip_address"] == "10.0.0.50")
            let floating = try await cloud.run("floating ip create --port p public")
            #expect(floating["fixed_ip_address"] == "10.0.0.50" && floating["router_id"] == router["id"])
            try await cloud.run("security group create web")
            let rule = try await cloud.run("security group rule create --protocol tcp --dst-port 80:81 --remote-ip 192.0.2.0/24 web")
            #expect(rule["port_range_min"] == 80 && rule["port_range_max"] == 81 && rule["remote_ip_prefix"] == "192.0.2.0/24")
            try await cloud.run("port set --security-group web --name q p", json: false)
            let ports = try await cloud.run("port list --network private --long").arrayValue ?? []
            #expect(ports.contains { $0["Name"] == "q" && $0["Security Groups"]?.arrayValue?.count == 2 }, "\(ports)")

            let refused = try await cloud.run("network delete private", json: false, succeeds: false)
            #expect(refused.stringValue?.contains("There are one or more ports still in use on the network") == true)

            let address = try #require(floating["floating_ip_address"]?.stringValue)
            try await cloud.run("floating ip delete \(address)", json: false)
            try await cloud.run("port delete q", json: false)
            try await cloud.run("router remove subnet r inner", json: false)
            try await cloud.run("router delete r", json: false)
            try await cloud.run("network delete private public", json: false)
            try await cloud.run("security group delete web", json: false)
            let hidden = try await client.list("ports").count
            #expect(hidden == 0)
            #expect(try await client.list("subnets").isEmpty)
        }
    }

    @Test(
        "It drives address scopes, subnet pools and QoS policies",
        .enabled(if: OpenStackClient.path != nil, "the openstack client is not installed: run scripts/setup"))
    func drivePoolsAndQoS() async throws {
        let path = try #require(OpenStackClient.path)
        try await withServer { client in
            let cloud = Cloud(path: path, port: client.port)
            let scope = try await cloud.run("address scope create --ip-version 4 --share s")
            #expect(scope["shared"] == true && scope["ip_version"] == 4)
            let pool = try await cloud.run(
                "subnet pool create --pool-prefix 10.0.0.0/16 --default-prefix-length 24 --address-scope s --default --tag blue p")
            #expect(pool["is_default"] == true && pool["address_scope_id"] == scope["id"] && pool["tags"] == ["blue"], "\(pool)")
            try await cloud.run("subnet pool set --pool-prefix 10.1.0.0/16 --min-prefix-length 20 p", json: false)
            #expect(try await cloud.run("subnet pool show p")["prefixes"]?.arrayValue?.contains("10.0.0.0/15") == true)
            try await cloud.run("network create n")
            let subnet = try await cloud.run("subnet create --network n --subnet-pool p --prefix-length 26 a")
            #expect(subnet["cidr"] == "10.0.0.0/26" && subnet["subnetpool_id"] == pool["id"])
            #expect(try await cloud.run("subnet create --network n --use-default-subnet-pool b")["cidr"] == "10.0.1.0/24")
            #expect(try await cloud.run("network show n")["ipv4_address_scope"] == scope["id"])

            let policy = try await cloud.run("network qos policy create --share gold")
            try await cloud.run("network qos rule create --type bandwidth-limit --max-kbps 1000 --egress gold")
            let rules = try await cloud.run("network qos rule list gold").arrayValue ?? []
            #expect(rules.count == 1 && rules.first?["Max Kbps"] == 1000, "\(rules)")
            try await cloud.run("network qos rule create --type dscp-marking --dscp-mark 26 gold")
            let types = try await cloud.run("network qos rule type list --all-supported").arrayValue
            #expect(types == [["Type": "bandwidth_limit"], ["Type": "dscp_marking"], ["Type": "packet_rate_limit"]])
            try await cloud.run("network set --qos-policy gold n", json: false)
            let port = try await cloud.run("port create --network n --qos-policy gold limited")
            #expect(port["qos_policy_id"] == policy["id"] && port["qos_network_policy_id"] == policy["id"], "\(port)")
            try await cloud.run("port unset --qos-policy limited", json: false)
            #expect(try await cloud.run("network show n")["qos_policy_id"] == policy["id"])
            try await cloud.run("network set --no-qos-policy n", json: false)
            try await cloud.run(
                "network create --external --provider-network-type flat --provider-physical-network physnet1 public")
            try await cloud.run("subnet create --network public --subnet-range 203.0.113.0/24 --no-dhcp outer")
            #expect(try await cloud.run("floating ip create --qos-policy gold public")["qos_policy_id"] == policy["id"])
            try await cloud.run("router create r")
            try await cloud.run("router set --external-gateway public --qos-policy gold r", json: false)
            #expect(try await cloud.run("router show r")["external_gateway_info"]?["qos_policy_id"] == policy["id"])
            try await cloud.run("router unset --qos-policy r", json: false)
            let refused = try await cloud.run("network qos policy delete gold", json: false, succeeds: false)
            #expect(refused.stringValue?.contains("is used by fip") == true, "\(refused)")
        }
    }

    @Test(
        "It drives flavors, segments, DHCP scheduling and address availability",
        .enabled(if: OpenStackClient.path != nil, "the openstack client is not installed: run scripts/setup"))
    func resources() async throws {
        let path = try #require(OpenStackClient.path)
        try await withServer { client in
            let cloud = Cloud(path: path, port: client.port)
            let driver = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver"
            #expect(try await cloud.run("network service provider list").arrayValue?.count == 2)
            let profile = try await cloud.run("network flavor profile create --driver \(driver)")["id"]?.stringValue ?? ""
            try await cloud.run("network flavor create --service-type L3_ROUTER_NAT gold")
            try await cloud.run("network flavor add profile gold \(profile)", json: false)
            #expect(try await cloud.run("network flavor show gold")["service_profile_ids"] == [.string(profile)])

            try await cloud.run("network create --provider-network-type vlan --provider-physical-network p1 --provider-segment 10 n")
            try await cloud.run(
                "network segment create --network n --network-type vlan --physical-network p2 --segment 20 --description x second")
            #expect(try await cloud.run("network segment list --network n").arrayValue?.count == 2)
            try await cloud.run("network segment delete second", json: false)
            #expect(try await cloud.run("network segment range list").arrayValue?.first?["Default"] == true)
            try await cloud.run(
                "network segment range create --shared --network-type vlan --physical-network p1 --minimum 50 --maximum 60 vlans")
            #expect(try await cloud.run("network segment range show vlans")["maximum"] == 60)

            try await cloud.run("network create m")
            try await cloud.run("subnet create --network m --subnet-range 10.0.0.0/24 inner")
            #expect(try await cloud.run("ip availability show m")["total_ips"] == 253)
            try await HostAgent(client: client, host: "h1").report()
            let agents = try await cloud.run("network agent list --network m").arrayValue ?? []
            let agent = try #require(agents.first?["ID"]?.stringValue)
            try await cloud.run("network agent remove network --dhcp \(agent) m", json: false)
            #expect(try await cloud.run("network agent list --network m").arrayValue == [])
            try await cloud.run("network agent add network --dhcp \(agent) m", json: false)
            #expect(try await cloud.run("network agent list --network m").arrayValue?.count == 1)
        }
    }
}
