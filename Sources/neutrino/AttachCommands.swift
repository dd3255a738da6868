import APISchema
import ArgumentParser
import Foundation
import Lab

struct AttachCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Plug a namespace, a virtual machine or a device into a port on this host, where there is no Nova.",
        discussion: """
            Binds the port to this host, as Nova does, makes the device that the agent looks for, waits until the port is ACTIVE, and prints what comes \
            next. 'neutrino detach' undoes it. It takes root, an agent that runs on this host, and an administrator: OS_AUTH_URL, OS_USERNAME, \
            OS_PASSWORD and OS_PROJECT_NAME as for the openstack client.

            A namespace, made if it is absent, with the addresses that the API says, or by DHCP:
              neutrino attach --network private --namespace web
              neutrino attach --network private --namespace web2 --dhcp --fixed-ip 10.0.0.7

            A tap for QEMU or libvirt, with what the metadata service shall tell the machine:
              neutrino attach --network private --tap --name vm1 --public-key ~/.ssh/id_ed25519.pub --user-data cloud-config.yaml

            A device that is there, such as a container's veth or a network card, to an existing port:
              neutrino attach PORT --device veth3
            """)

    @Argument(help: "The port, by its id or name. Without one, --network says where to make one.") var port: String?
    @Option(help: "Make a port on this network (id or name). It is deleted by detach.") var network: String?
    @Option(help: "An address that the new port shall have; repeatable.") var fixedIp: [String] = []
    @Option(help: "A security group of the new port, by id or name; repeatable (default: the project's default group).")
    var securityGroup: [String] = []
    @Option(help: "The MAC of the new port (default: any).") var mac: String?

    @Option(help: "Plug in this namespace, as 'ip netns' names it.") var namespace: String?
    @Option(help: "What the device in the namespace is called.") var interface = "eth0"
    @Flag(help: "Ask for the namespace's addresses by DHCP, instead of setting what the API says.") var dhcp = false
    @Flag(help: "Make a persistent tap device for a virtual machine.") var tap = false
    @Option(help: "A user who may use the tap besides root.") var owner: String?
    @Option(help: "Plug in this device of the host. It is called otherwise until it is detached.") var device: String?

    @Option(help: "What the instance is called, in DNS and in its metadata.") var name: String?
    @OptionGroup var facts: InstanceFactsOptions

    @OptionGroup var place: AttachmentPlace
    @Option(help: "How many seconds to wait for the port to become ACTIVE.") var timeout = 60
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (port == nil) != (network == nil) else { throw ValidationError("Name a port, or with --network where to make one.") }
        guard [namespace != nil, tap, device != nil].filter({ $0 }).count == 1 else {
            throw ValidationError("Say what is plugged in: --namespace NAME, --tap, or --device DEVICE.")
        }
        guard network != nil || (fixedIp.isEmpty && securityGroup.isEmpty && mac == nil) else {
            throw ValidationError(
                "--fixed-ip, --security-group and --mac are of a new port: change an existing one with 'openstack port set'.")
        }
        guard namespace != nil || !dhcp else { throw ValidationError("--dhcp runs a DHCP client in a namespace: give --namespace.") }
        guard tap || owner == nil else { throw ValidationError("--owner is of a tap: give --tap.") }
        guard (1...15).contains(interface.utf8.count) else { throw ValidationError("--interface has 1 to 15 characters.") }
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is from 1 to 86400 seconds.") }
    }

    func run() async throws {
        try await place.run { attacher in
            let attached = try await attacher.attach(try request())
            print(json ? attached.json.text + "\n" : attached.text, terminator: "")
        }
    }

    private func request() throws -> AttachmentRequest {
        let target: AttachmentRequest.Target
        if let network {
            target = .network(network, .init(fixedAddresses: fixedIp, securityGroups: securityGroup, mac: mac))
        } else {
            target = .port(port ?? "")
        }
        let plug: AttachmentRequest.Plug
        if let namespace {
            plug = .namespace(namespace, device: interface, usesDHCP: dhcp)
        } else if let device {
            plug = .existing(device)
        } else {
            plug = .tap(owner: owner)
        }
        var request = AttachmentRequest(target, plug: plug, host: place.host)
        request.name = name
        request.timeoutMilliseconds = timeout * 1000
        request.facts = try facts.facts()
        return request
    }
}

struct DetachCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach", abstract: "Unplug what 'neutrino attach' plugged in on this host.",
        discussion: """
            Removes the veth or the tap, or gives the device its name back. A namespace that attach made goes when nothing else is in it. A port that \
            attach made is deleted; another one is free again.
            """)

    @Argument(help: "The port by its id or name, or the namespace.") var port: String
    @OptionGroup var place: AttachmentPlace

    func run() async throws { try await place.run { try await $0.detach(port, host: place.host) } }
}

/// Where instances are plugged in, and which server knows of it.
struct AttachmentPlace: ParsableArguments {
    @Option(help: "The name of this host, as its agent was told.") var host: String = ProcessInfo.processInfo.hostName
    @OptionGroup var address: ServerAddress

    func run(_ body: (Attacher) async throws -> Void) async throws {
        do {
            try Attacher.checkHost()
            try await body(Attacher(api: address.client) { FileHandle.standardError.write(Data(($0 + "\n").utf8)) })
        } catch let error as LabError {
            throw CleanExit.failure(error.description)
        } catch let failure as APIFailure {
            guard failure.status != 401 else { throw CleanExit.failure(ServerAddress.loginAdvice) }
            throw CleanExit.failure("The server refused: \(failure.body["NeutronError"]?["message"]?.stringValue ?? failure.description)")
        }
    }
}
