import Addressing
import KernelInterface

/// What every ``NetworkKernel`` must do, as sentences with a body each: the real kernel and the simulated one run the same.
///
/// A test takes the cases as its arguments and calls ``Case/run(on:)`` with namespaces that nobody else uses. A case makes its own namespaces,
/// works only inside them and removes them, also when it fails.
public enum KernelConformance {
    /// What a case works on.
    public struct Subject: Sendable {
        public var kernel: any NetworkKernel
        /// Two names that are free; the case makes the namespaces and removes them.
        public var first: NamespaceName
        public var second: NamespaceName
        /// Gives the kernel time for what it does later (a namespace ends after its last socket); called at most ``attempts`` times.
        public var pause: @Sendable () -> Void

        public init(kernel: any NetworkKernel, first: NamespaceName, second: NamespaceName, pause: @escaping @Sendable () -> Void = {}) {
            self.kernel = kernel
            self.first = first
            self.second = second
            self.pause = pause
        }
    }

    /// How often a condition is looked at before it counts as false.
    public static let attempts = 500

    /// What not every kernel has.
    public enum Feature: String, Sendable {
        case vlanDevices = "802.1Q devices"
    }

    public struct Case: Sendable, CustomStringConvertible {
        /// A sentence.
        public var description: String
        /// Without it the case says nothing about the kernel.
        public var needs: Feature?
        var body: @Sendable (Subject) throws -> Void

        init(description: String, needs: Feature? = nil, body: @escaping @Sendable (Subject) throws -> Void) {
            self.description = description
            self.needs = needs
            self.body = body
        }

        /// - Throws: ``Failure`` when the kernel does not behave, or the kernel's own error.
        public func run(on subject: Subject) throws {
            defer {
                // The case may have removed them itself.
                for name in [subject.first, subject.second] { try? subject.kernel.perform(.removeNamespace(name)) }
            }
            try subject.kernel.perform(.addNamespace(subject.first))
            try subject.kernel.perform(.addNamespace(subject.second))
            try body(subject)
        }
    }

    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    public static let cases: [Case] = linkCases + forwardingCases + namespaceCases
}

extension KernelConformance.Subject {
    func expect(_ condition: Bool, _ sentence: @autoclosure () throws -> String) throws {
        if !condition { throw KernelConformance.Failure(description: try sentence()) }
    }

    /// Waits for a condition.
    func eventually(_ sentence: String, _ condition: () throws -> Bool) throws {
        for _ in 0..<KernelConformance.attempts {
            if try condition() { return }
            pause()
        }
        throw KernelConformance.Failure(description: "this never came true: \(sentence)")
    }

    /// The operation must be refused, with this errno value when one is given.
    func expectRefusal(_ operation: KernelOperation, code: Int32? = nil) throws {
        do throws(KernelError) {
            try kernel.perform(operation)
        } catch {
            try expect(!error.description.isEmpty, "an error is a sentence")
            if let code { try expect(error.code == code, "\(operation) must fail with \(code), failed with \(error.code): \(error)") }
            return
        }
        throw KernelConformance.Failure(description: "\(operation) must fail")
    }

    func link(_ name: String, in namespace: NamespaceName) throws -> Link {
        guard let link = try kernel.links(in: namespace).first(where: { $0.name == name }) else {
            throw KernelConformance.Failure(description: "there is no link \(name) in \(namespace)")
        }
        return link
    }

    func hasLink(_ name: String, in namespace: NamespaceName) throws -> Bool {
        try kernel.links(in: namespace).contains { $0.name == name }
    }

    /// What was found must be what was asked for, in everything that was asked for.
    func expectSame(_ found: Link, _ wanted: Link) throws {
        var expected = wanted
        expected.mac = wanted.mac ?? found.mac
        expected.mtu = wanted.mtu ?? found.mtu
        try expect(found == expected, "found \(found), wanted \(wanted)")
    }

    // Literals of the cases.
    func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw KernelConformance.Failure(description: "\(text) is no address") }
        return address
    }

    func interfaceAddress(_ text: String) throws -> InterfaceAddress {
        guard let address = InterfaceAddress(text) else { throw KernelConformance.Failure(description: "\(text) is no address") }
        return address
    }

    func prefix(_ text: String) throws -> IPPrefix {
        guard let prefix = IPPrefix(text) else { throw KernelConformance.Failure(description: "\(text) is no prefix") }
        return prefix
    }

    func mac(_ text: String) throws -> MACAddress {
        guard let mac = MACAddress(text) else { throw KernelConformance.Failure(description: "\(text) is no MAC address") }
        return mac
    }
}

/// errno values of Linux that cases ask for.
enum ErrorCode {
    static let exists: Int32 = 17
    static let noSuchFile: Int32 = 2
    static let noSuchDevice: Int32 = 19
}
