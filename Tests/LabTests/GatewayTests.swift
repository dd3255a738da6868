import APISchema
import Lab
import Testing

/// Routers with several gateways, in whole clouds.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct GatewayTests {
    private static let providerAddress = "198.51.100.1"
    /// Behind the provider: what only a default route leads to.
    private static let farAddress = "192.0.2.9"

    @Test("An HA router goes out by its first gateway and answers by the second who comes in there, also when another host is the master")
    func twoGateways() async throws {
        try await withLab { lab in
            let cloud = try await TestCloud(lab)
            let (second, provider) = try await addProvider(lab)
            try await lab.api.call(
                "PUT", "/v2.0/routers/\(cloud.router.id)/add_external_gateways",
                ["router": ["external_gateways": [["network_id": .string(second)]]]])
            let router = try await lab.api.show("routers", cloud.router.id)
            let gateways = router["external_gateways"]?.arrayValue ?? []
            #expect(gateways.compactMap { $0["network_id"]?.stringValue } == [cloud.externalID, second])

            let master = try await cloud.master()
            let instance = try await lab.createInstance("vm1", host: "h1", network: cloud.networkID)
            // The provider's rule lets pings to it in, too: they have the project's group.
            let observer = try EchoObserver(in: lab.outside)
            try await lab.waitForReply(from: instance.place, to: Underlay.outsideAddress, timeoutMilliseconds: 60_000)
            #expect(observer.sources() == [cloud.router.gatewayAddress])

            let floating = try await lab.createFloatingIP(externalNetwork: second, portID: instance.portID).address
            try await waitForFarReply(from: provider, to: floating)
            // Out of the instance the floating IP is the source, by its gateway.
            let farObserver = try EchoObserver(in: provider.place)
            try await lab.waitForReply(from: instance.place, to: Self.farAddress, timeoutMilliseconds: 60_000)
            #expect(farObserver.sources() == [floating])

            // The instance and the provider may be on the host that is lost: the router alone moves.
            try await lab.setL3Agent(of: master, isEnabled: false)
            let successor = try await cloud.master(besides: master)
            #expect(successor != master)
            try await waitForFarReply(from: provider, to: floating)
        }
    }

    /// A second external network, and an instance on it that is its gateway and has an address that is on no network.
    private func addProvider(_ lab: Lab) async throws -> (networkID: String, provider: Instance) {
        let network = try await lab.api.create(
            "networks", ["name": "second", "router:external": true, "provider:network_type": "vxlan"])
        let id = try network.text("id")
        let subnet = try await lab.api.create(
            "subnets",
            [
                "name": "second-subnet", "network_id": .string(id), "ip_version": 4, "cidr": "198.51.100.0/24", "gateway_ip": nil,
                "allocation_pools": [["start": "198.51.100.100", "end": "198.51.100.199"]],
            ])
        let provider = try await lab.createInstance(
            "provider", host: "h2", network: id,
            attributes: [
                "fixed_ips": [["ip_address": .string(Self.providerAddress)]],
                "allowed_address_pairs": [["ip_address": .string(Self.farAddress)]],
            ])
        try await lab.allowPings(toPort: provider.portID)
        try await provider.place.output(["ip", "address", "add", "\(Self.farAddress)/32", "dev", "eth0"])
        _ = try await lab.api.update("subnets", try subnet.text("id"), ["gateway_ip": .string(Self.providerAddress)])
        return (id, provider)
    }

    private func waitForFarReply(from provider: Instance, to address: String) async throws {
        try await waitUntil("\(address) to answer \(Self.farAddress)", timeoutMilliseconds: 60_000) {
            try await provider.place.run(["ping", "-c", "1", "-W", "1", "-I", Self.farAddress, address]).exitCode == 0
        }
    }
}
