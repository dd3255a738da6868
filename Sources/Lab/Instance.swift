import APISchema
import Addressing
import Glibc
import KernelInterface
import KernelLinux
import NetworkModel

/// A machine that uses the network: namespaces with a veth whose outer end is the port's tap device on its host.
public struct Instance: Hashable, Sendable {
    public let name: String
    public let host: String
    public let portID: String
    public let mac: String
    public let place: Place
    /// The first IPv4 address of the port, without a prefix.
    public let address: String

    /// How an instance gets its address.
    public enum Configuration: Sendable {
        /// By a real DHCP client; waits for the port to become ACTIVE first, as Nova does.
        case dhcp
        /// What the API says, at once.
        case fixed
    }

    struct Record: Hashable, Sendable {
        var host: String
        var portID: String
        var mac: String
        var address: String
        var processID: Int32

        init(host: String, portID: String, mac: String, address: String, processID: Int32) {
            self.host = host
            self.portID = portID
            self.mac = mac
            self.address = address
            self.processID = processID
        }

        var json: JSONValue {
            [
                "host": .string(host), "port_id": .string(portID), "mac": .string(mac), "address": .string(address),
                "process": .integer(Int(processID)),
            ]
        }

        init?(json: JSONValue) {
            guard let host = json["host"]?.stringValue, let portID = json["port_id"]?.stringValue, let mac = json["mac"]?.stringValue,
                let address = json["address"]?.stringValue, let process = json["process"]?.integerValue.flatMap(Int32.init(exactly:))
            else { return nil }
            self.init(host: host, portID: portID, mac: mac, address: address, processID: process)
        }
    }

    init(name: String, record: Record) {
        self.name = name
        host = record.host
        portID = record.portID
        mac = record.mac
        address = record.address
        place = Place(name: name, processID: record.processID)
    }

    /// The device on the host that the agent plugs into the network: "tap" and the first 11 characters of the port's id.
    public var tapName: String { InstancePort.tapName(portID: portID) }
}

/// Makes and removes the veth between an instance and its host. Blocks.
struct InstanceWiring {
    var host: Place

    func plug(_ place: Place, portID: String, mac: String, mtu: Int?) throws {
        let tap = InstancePort.tapName(portID: portID)
        do {
            try host.batch(InstancePort.wiring(tap: tap, mac: mac, mtu: mtu, namespace: "\(place.processID)"))
            try place.batch(["link set eth0 up"])
        } catch {
            stop(place, portID: portID)
            throw error
        }
    }

    /// The veth goes with the namespace of its inner end; the tap is deleted first so that it is gone when this returns.
    func stop(_ place: Place, portID: String) {
        try? host.batch(["link delete \(InstancePort.tapName(portID: portID))"], force: true)
        LabProcess.end([place.process])
    }
}
