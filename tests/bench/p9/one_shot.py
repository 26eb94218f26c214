"""The rival of P9: pyVmomi's property collector reads every virtual machine in one call.

Usage: one_shot.py PORT USER PASSWORD PATH...   prints how many there were.
"""

import ssl
import sys

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

PC = vmodl.query.PropertyCollector


def main():
    port, user, password, *paths = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    si = SmartConnect(host="127.0.0.1", port=int(port), user=user, pwd=password, sslContext=context)
    content = si.RetrieveContent()
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    walk = PC.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    start = PC.ObjectSpec(obj=view, skip=True, selectSet=[walk])
    spec = PC.FilterSpec(objectSet=[start], propSet=[PC.PropertySpec(type=vim.VirtualMachine, pathSet=paths)])
    result = content.propertyCollector.RetrievePropertiesEx([spec], PC.RetrieveOptions())
    found = 0
    while result:
        for entry in result.objects:
            # As a script would keep it: name and value.
            {prop.name: prop.val for prop in entry.propSet}
            found += 1
        token = result.token
        result = content.propertyCollector.ContinueRetrievePropertiesEx(token) if token else None
    print(found)
    Disconnect(si)


if __name__ == "__main__":
    main()
