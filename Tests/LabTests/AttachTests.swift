import APISchema
import Foundation
import Lab
import Testing

/// `neutrino attach` and `detach`, as a person on a host without Nova runs them.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct AttachTests {
    @Test("Namespaces and a device that is there are plugged into ports, reach each other, and are gone after detach")
    func attachAndDetach() async throws {
        try await withLab { lab in
            let (network, _) = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let portsBefore = try await lab.api.list("ports", "device_owner=compute:nova").count
            let h1 = try lab.host("h1").place
            let h2 = try lab.host("h2").place

            // A namespace that is made, with addresses as the API says; one with DHCP and a name.
            let web = try await lab.attach(on: "h1", ["--network", "private", "--namespace", "web", "--fixed-ip", "10.0.0.50", "--json"])
            let webPort = try web.json().text("port_id")
            #expect(try web.json()["addresses"]?.arrayValue?.first?["address"] == "10.0.0.50")
            let db = try await lab.attach(on: "h2", ["--network", "private", "--namespace", "db", "--dhcp", "--name", "db", "--json"])
            let dbPort = try await lab.api.show("ports", db.json().text("port_id"))
            #expect(dbPort["dns_name"] == "db" && dbPort["device_owner"] == "compute:nova" && dbPort["binding:host_id"] == "h2")
            let dbAddress = try dbPort["fixed_ips"]?.arrayValue?.first?.text("ip_address") ?? ""
            let shown = try await h2.output(["ip", "-n", "db", "-oneline", "-4", "address", "show", "dev", "eth0"])
            #expect(shown.contains(" \(dbAddress)/24 "))
            try await ping(h1, "web", dbAddress)
            try await ping(h2, "db", "10.0.0.50")

            // A device that is there, to an existing port.
            let existing = try await lab.api.create(
                "ports",
                [
                    "network_id": .string(try network.text("id")), "name": "mine", "dns_name": "old",
                    "binding:profile": ["rack": "7", "neutrino:instance": ["hostname": "old"]],
                ])
            let tap = "tap" + (try existing.text("id").prefix(11))
            let mac = try existing.text("mac_address")
            try await h1.output(["ip", "netns", "add", "box"])
            try await h1.output([
                "ip", "link", "add", "box0", "mtu", "1400", "type", "veth", "peer", "name", "eth0", "netns", "box", "address", mac,
            ])
            let box = try await lab.attach(on: "h1", ["mine", "--device", "box0", "--name", "box"])
            #expect(box.standardOutput.contains("must use the MAC \(mac)"))
            let taken = try await lab.api.show("ports", existing.text("id"))
            #expect(taken["dns_name"] == "box" && taken["binding:profile"]?["rack"] == "7")
            #expect(taken["binding:profile"]?["neutrino:instance"] == ["hostname": "box"])
            let boxAddress = try existing["fixed_ips"]?.arrayValue?.first?.text("ip_address") ?? ""
            try await h1.output(["ip", "-n", "box", "address", "add", "\(boxAddress)/24", "dev", "eth0"])
            try await h1.output(["ip", "-n", "box", "link", "set", "eth0", "up"])
            try await ping(h2, "db", boxAddress)
            #expect(try await lab.attach(on: "h2", ["mine", "--tap"]).exitCode == 1, "a port is attached once")

            // Detached, nothing is left of what was made, and the rest is as it was.
            #expect(try await lab.detach(on: "h2", "mine").exitCode == 1, "it is attached on another host")
            #expect(try await lab.detach(on: "h1", "mine").exitCode == 0)
            let freed = try await lab.api.show("ports", existing.text("id"))
            #expect(freed["binding:host_id"] == "" && freed["device_id"] == "" && freed["device_owner"] == "" && freed["status"] == "DOWN")
            #expect(freed["dns_name"] == "old" && freed["binding:profile"] == existing["binding:profile"])
            let restored = try await h1.output(["ip", "-oneline", "link", "show", "dev", "box0"])
            #expect(restored.contains("mtu 1400") && !restored.contains("master"))
            #expect(try await lab.detach(on: "h1", "web").exitCode == 0, "by the namespace's name")
            #expect(try await lab.detach(on: "h2", db.json().text("port_id")).exitCode == 0)
            #expect(try await lab.api.send("GET", "/v2.0/ports/\(webPort)").status == 404)
            #expect(try await lab.api.list("ports", "device_owner=compute:nova").count == portsBefore)
            #expect(try await h1.output(["ip", "netns"]).split(separator: "\n").contains { $0.hasPrefix("web") } == false)
            let links = try await h1.output(["ip", "-brief", "link"])
            #expect(!links.contains(tap) && !links.contains("tap" + webPort.prefix(11)))
        }
    }

    @Test("What cannot be attached says why, and leaves nothing behind")
    func refusals() async throws {
        try await withLab(hosts: 1) { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let host = try lab.host("h1").place
            let before = try await host.output(["ip", "-brief", "link"]).split(separator: "\n").count
            func refusal(_ words: [String], host name: String = "h1") async throws -> String {
                let result = try await lab.run(on: "h1", ["attach", "--host", name] + words)
                #expect(result.exitCode != 0, "\(words)")
                return result.standardError
            }
            #expect(try await refusal(["--network", "none", "--namespace", "a"]).contains("None of the networks is named none"))
            #expect(try await refusal(["--network", "private", "--device", "none0"]).contains("There is no device none0"))
            try await host.output(["ip", "link", "add", "used0", "type", "veth", "peer", "name", "used1"])
            try await host.output(["ip", "address", "add", "10.55.0.1/24", "dev", "used0"])
            try await host.output(["ip", "link", "add", "link", "used1", "name", "above", "type", "macvlan"])
            for (device, use) in [
                ("lo", "the host's loopback"), ("used0", "it has the address 10.55.0.1/24"), ("used1", "there are devices on top of it"),
            ] { #expect(try await refusal(["--network", "private", "--device", device]).contains("uses device \(device) (\(use)")) }
            try await host.output(["ip", "link", "delete", "used0"])
            try await checkFailedName(lab, host)
            #expect(try await refusal(["--network", "private", "--namespace", "a/b"]).contains("is no name for a namespace"))
            #expect(try await refusal(["--network", "private", "--tap"], host: "h7").contains("Host h7 cannot take the port"))
            #expect(try await refusal(["--network", "private", "--tap", "--fixed-ip", "10.9.9.9"]).contains("The server refused"))
            #expect(try await refusal(["--network", "private"]).contains("Say what is plugged in"))
            #expect(try await lab.api.list("ports", "device_owner=compute:nova").isEmpty)
            #expect(
                try await host.output(["ip", "-brief", "link"]).split(separator: "\n").count <= before + 4,
                "only the network's own devices came")
            let namespaces = try await host.output(["ip", "netns"]).split(separator: "\n").compactMap { $0.split(separator: " ").first }
            #expect(!namespaces.contains("a"))
        }
    }

    /// A device that cannot be called as its port's shall be goes on as it was.
    private func checkFailedName(_ lab: Lab, _ host: Place) async throws {
        let network = try await lab.find("networks", "private")
        let port = try await lab.api.create("ports", ["network_id": .string(network), "name": "named"]).text("id")
        try await host.output(["ip", "link", "add", "tap" + port.prefix(11), "type", "veth", "peer", "name", "other0"])
        try await host.output(["ip", "link", "add", "spare0", "up", "type", "veth", "peer", "name", "spare1"])
        #expect(try await lab.attach(on: "h1", ["named", "--device", "spare0"]).exitCode == 1)
        #expect(try await host.output(["ip", "-oneline", "link", "show", "dev", "spare0"]).contains(",UP"))
        for device in ["other0", "spare0"] { try await host.output(["ip", "link", "delete", device]) }
        try await lab.api.delete("ports", port)
    }

    @Test(
        "A virtual machine on a tap boots, gets its address by DHCP with the network's MTU, is told who it is, and reaches a namespace on another host",
        .enabled(if: VirtualMachine.isAvailable, VirtualMachine.skipReason), .timeLimit(.minutes(8)))
    func virtualMachine() async throws {
        try await withLab { lab in
            _ = try await lab.createNetwork("private", prefix: "10.0.0.0/24")
            let other = try await lab.createInstance("vm2", host: "h2", network: "private")
            let attached = try await lab.attach(
                on: "h1", ["--network", "private", "--tap", "--name", "vm1", "--meta", "role=web", "--json"]
            ).json()
            let arguments = attached["qemu_arguments"]?.arrayValue?.compactMap(\.stringValue) ?? []
            #expect(attached["libvirt_interface"]?.stringValue?.contains("managed='no'") == true)
            let directory = "\(lab.stateDirectory)/machine"
            let machine = try await VirtualMachine.start(
                on: lab.host("h1"), arguments: arguments, target: other.address, directory: directory)
            let address = try attached["addresses"]?.arrayValue?.first?.text("address") ?? ""
            #expect(try await machine.line("address") == "\(address)/24")
            #expect(try await machine.line("mtu") == "\(attached["mtu"]?.integerValue ?? 0)")
            #expect(try await machine.line("ping") == "answered")
            try await lab.waitForReply(from: other.place, to: address)

            let device = try await lab.api.show("ports", attached.text("port_id")).text("device_id")
            let told = try await machine.line("metadata")
            let parsed = try? JSONParser.parse(told)
            let metadata = try #require(parsed, "it was told: \(told)")
            #expect(metadata["uuid"]?.stringValue == device && metadata["hostname"] == "vm1" && metadata["meta"] == ["role": "web"])
            #expect(try await machine.line("instance-id") == device)
            #expect(try await machine.line("hostname") == "vm1")
        }
    }

    private func ping(_ host: Place, _ namespace: String, _ address: String) async throws {
        try await waitUntil("\(namespace) to reach \(address)", timeoutMilliseconds: 20_000) {
            try await host.run(["ip", "netns", "exec", namespace, "ping", "-c", "1", "-W", "1", address]).exitCode == 0
        }
    }
}

extension Lab {
    /// Runs the executable on a host, as the lab's administrator.
    fileprivate func run(on host: String, _ words: [String]) async throws -> CommandResult {
        let environment = hostEnvironment.map { "\($0.name)=\($0.value)" }
        let command = ["env"] + environment + [executable] + words + ["--server", hostEndpoint]
        let result = try await self.host(host).place.run(command, timeoutMilliseconds: 120_000)
        return CommandResult(exitCode: result.exitCode, standardOutput: result.standardOutput, standardError: result.standardError)
    }

    fileprivate func attach(on host: String, _ words: [String]) async throws -> CommandResult {
        try await run(on: host, ["attach", "--host", host] + words)
    }

    fileprivate func detach(on host: String, _ name: String) async throws -> CommandResult {
        try await run(on: host, ["detach", name, "--host", host])
    }
}

private struct CommandResult {
    var exitCode: Int32
    var standardOutput: String
    var standardError: String

    func json() throws -> JSONValue {
        do { return try JSONParser.parse(Array(standardOutput.utf8)) } catch {
            throw LabError("no JSON but: \(standardOutput)\(standardError)")
        }
    }
}
