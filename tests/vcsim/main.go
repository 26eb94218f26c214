// A vCenter for the contract tests: govmomi's simulator, as Debian packages it, with a certificate of its own
// and with those of its gaps filled that are cheap to fill. Prints "vcsim listening on https://ADDR:PORT/sdk"
// and ends on SIGTERM.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// The built-in certificate has an RSA key of 1024 bits, which no careful client accepts.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "vcsim"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// The stock one takes localPath for a directory of this machine; a real one, and this one, for a name.
type datastoreSystem struct {
	// The simulator reads an object's properties from its first field.
	mo.HostDatastoreSystem
	stock *simulator.HostDatastoreSystem
	root  string
}

func (d *datastoreSystem) CreateLocalDatastore(ctx *simulator.Context, c *types.CreateLocalDatastore) soap.HasFault {
	return d.stock.CreateLocalDatastore(ctx, c)
}

func (d *datastoreSystem) CreateNasDatastore(ctx *simulator.Context, c *types.CreateNasDatastore) soap.HasFault {
	path := filepath.Join(d.root, filepath.Base(c.Spec.LocalPath))
	if err := os.MkdirAll(path, 0o700); err != nil {
		log.Print(err)
	}
	c.Spec.LocalPath = path
	answer := d.stock.CreateNasDatastore(ctx, c)
	d.Datastore = d.stock.Datastore
	if body, ok := answer.(*methods.CreateNasDatastoreBody); ok && body.Res != nil {
		d.mounted(ctx, body.Res.Returnval)
	}
	return answer
}

// Which hosts mount it: the stock one leaves that empty.
func (d *datastoreSystem) mounted(ctx *simulator.Context, ref types.ManagedObjectReference) {
	ds, ok := simulator.Map.Get(ref).(*simulator.Datastore)
	if !ok {
		return
	}
	yes := true
	mount := types.DatastoreHostMount{
		Key:       d.stock.Host.Self,
		MountInfo: types.HostMountInfo{AccessMode: "readWrite", Mounted: &yes, Accessible: &yes},
	}
	for _, known := range ds.Host {
		if known.Key == mount.Key {
			return
		}
	}
	simulator.Map.Update(ds, []types.PropertyChange{{Name: "host", Val: append(ds.Host, mount)}})
}

// The stock one has no RemoveDatastore.
func (d *datastoreSystem) RemoveDatastore(ctx *simulator.Context, c *types.RemoveDatastore) soap.HasFault {
	body := &methods.RemoveDatastoreBody{}
	ds, ok := simulator.Map.Get(c.Datastore).(*simulator.Datastore)
	if !ok {
		body.Fault_ = simulator.Fault("", &types.NotFound{})
		return body
	}
	if len(ds.Vm) != 0 {
		body.Fault_ = simulator.Fault("", &types.ResourceInUse{Type: ds.Self.Type, Name: ds.Name})
		return body
	}
	var rest []types.DatastoreHostMount
	for _, mount := range ds.Host {
		if mount.Key != d.stock.Host.Self {
			rest = append(rest, mount)
		}
	}
	simulator.RemoveReference(&d.stock.Datastore, ds.Self)
	d.Datastore = d.stock.Datastore
	simulator.Map.RemoveReference(d.stock.Host, &d.stock.Host.Datastore, ds.Self)
	if len(rest) == 0 {
		ds.DestroyTask(ctx, &types.Destroy_Task{This: ds.Self})
	} else {
		simulator.Map.Update(ds, []types.PropertyChange{{Name: "host", Val: rest}})
	}
	body.Res = &types.RemoveDatastoreResponse{}
	return body
}

// What a real server says of a machine, and the stock one leaves out.
type machines struct {
	mo.Folder // for its reference; it is no folder
}

func (w *machines) PutObject(mo.Reference)                    {}
func (w *machines) RemoveObject(types.ManagedObjectReference) {}
func (w *machines) UpdateObject(o mo.Reference, c []types.PropertyChange) {
	vm, ok := o.(*mo.VirtualMachine)
	if !ok {
		return
	}
	if vm.Config != nil {
		vm.Config.ExtraConfig = options(vm.Config.ExtraConfig)
	}
	for _, change := range c {
		switch {
		case change.Name == "config.tools.pendingCustomization" && vm.Config.Tools.PendingCustomization == "":
			customised(vm)
		case change.Name == "config.hardware.device":
			diskUUIDs(vm.Config.Hardware.Device)
		case change.Name == "guest.ipAddress" && vm.Guest.IpAddress != "" && len(vm.Guest.Net) != 0:
			nic := &vm.Guest.Net[0]
			nic.IpAddress = []string{vm.Guest.IpAddress}
			nic.IpConfig = &types.NetIpConfigInfo{
				IpAddress: []types.NetIpConfigInfoIpAddress{{IpAddress: vm.Guest.IpAddress, State: "preferred"}},
			}
		}
	}
}

// An option that is set again has one value, and one that is set to nothing is gone: the stock one keeps them all.
func options(all []types.BaseOptionValue) []types.BaseOptionValue {
	last := map[string]int{}
	for i, option := range all {
		last[option.GetOptionValue().Key] = i
	}
	var kept []types.BaseOptionValue
	for i, option := range all {
		if value := option.GetOptionValue(); last[value.Key] == i && value.Value != "" {
			kept = append(kept, option)
		}
	}
	return kept
}

// The stock one customises at the next start, and tells nobody.
func customised(vm *mo.VirtualMachine) {
	event := &types.CustomizationSucceeded{}
	event.Vm = &types.VmEventArgument{Vm: vm.Self}
	event.Vm.Name = vm.Name
	session := &simulator.Session{UserSession: types.UserSession{UserName: "vcsim"}}
	ctx := &simulator.Context{Context: context.Background(), Session: session}
	simulator.Map.EventManager().PostEvent(ctx, &types.PostEvent{EventToPost: event})
}

// A disk that was added has a UUID from then on.
func diskUUIDs(devices []types.BaseVirtualDevice) {
	for _, device := range devices {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && backing.Uuid == "" {
			backing.Uuid = "6000C29" + strings.ToUpper(uuid.New().String()[7:])
		}
	}
}

func main() {
	m, esx := simulator.VPX(), simulator.ESX()
	flag.IntVar(&m.Machine, "vm", m.Machine, "VMs per resource pool")
	flag.IntVar(&m.ClusterHost, "host", m.ClusterHost, "hosts per cluster")
	flag.IntVar(&m.Host, "standalone-host", m.Host, "standalone hosts")
	flag.IntVar(&m.Datastore, "ds", m.Datastore, "datastores")
	single := flag.Bool("esx", false, "a single ESXi host")
	listen := flag.String("l", "127.0.0.1:0", "listen address")
	user := flag.String("username", "admin", "login user")
	pass := flag.String("password", "secret", "login password")
	idle := flag.Duration("session-timeout", 0, "session idle timeout")
	weak := flag.Bool("weak-certificate", false, "serve with the built-in certificate (RSA 1024)")
	flag.Parse()

	if *idle > 0 {
		simulator.SessionIdleTimeout = *idle
	}
	if *single {
		m = esx
	}
	if err := m.Create(); err != nil {
		log.Fatal(err)
	}
	root, err := os.MkdirTemp("", "zerfaux-vcsim")
	if err != nil {
		log.Fatal(err)
	}
	for _, entity := range simulator.Map.All("HostSystem") {
		host := entity.(*simulator.HostSystem)
		system := simulator.Map.Get(*host.ConfigManager.DatastoreSystem).(*simulator.HostDatastoreSystem)
		simulator.Map.Put(&datastoreSystem{HostDatastoreSystem: system.HostDatastoreSystem, stock: system, root: root})
	}

	watch := &machines{}
	watch.Self = types.ManagedObjectReference{Type: "Handler", Value: "machines"}
	simulator.Map.AddHandler(watch)
	for _, entity := range simulator.Map.All("VirtualMachine") {
		diskUUIDs(entity.(*simulator.VirtualMachine).Config.Hardware.Device)
	}

	m.Service.RegisterEndpoints = true
	m.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *pass)}
	m.Service.TLS = new(tls.Config)
	if !*weak {
		own, err := certificate()
		if err != nil {
			log.Fatal(err)
		}
		m.Service.TLS.Certificates = []tls.Certificate{own}
	}
	// For tests: an HTTP status for the next SOAP call; a delay (ms) for a method.
	m.Service.ServeMux = http.DefaultServeMux
	m.DelayConfig.MethodDelay = map[string]int{}
	http.HandleFunc("/test/next-status", func(w http.ResponseWriter, r *http.Request) {
		simulator.StatusSDK, _ = strconv.Atoi(r.FormValue("code"))
	})
	http.HandleFunc("/test/delay", func(w http.ResponseWriter, r *http.Request) {
		m.DelayConfig.MethodDelay[r.FormValue("method")], _ = strconv.Atoi(r.FormValue("ms"))
	})
	s := m.Service.NewServer()
	fmt.Printf("vcsim listening on https://%s/sdk\n", s.URL.Host)

	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGINT, syscall.SIGTERM)
	<-sig
	m.Remove()
	os.RemoveAll(root)
}
