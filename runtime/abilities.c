#include "runtime/abilities.h"

#include <CL/cl_ext.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cl_nv_device_attribute_query; not in every cl_ext.h */
enum { PCI_BUS_NV = 0x4008, PCI_SLOT_NV = 0x4009 };

static bool has_extension(const char *extensions, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)); at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static char *read_extensions(cl_device_id id)
{
    size_t size = 0;
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &size);
    char *extensions = mem_new(size + 1, 1);
    clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, size, extensions, NULL);
    return extensions;
}

/* NVIDIA has an older way of its own: the slot holds device and function. */
static void read_pci(struct device_info *info, cl_device_id id, const char *extensions)
{
    cl_device_pci_bus_info_khr pci;
    cl_uint bus, slot;
    if (has_extension(extensions, "cl_khr_pci_bus_info") &&
        clGetDeviceInfo(id, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) == CL_SUCCESS)
        snprintf(info->pci, sizeof info->pci, "%04x:%02x:%02x.%x", pci.pci_domain & 0xffff, pci.pci_bus & 0xff,
                 pci.pci_device & 0xff, pci.pci_function & 0xf);
    else if (has_extension(extensions, "cl_nv_device_attribute_query") &&
             clGetDeviceInfo(id, PCI_BUS_NV, sizeof bus, &bus, NULL) == CL_SUCCESS &&
             clGetDeviceInfo(id, PCI_SLOT_NV, sizeof slot, &slot, NULL) == CL_SUCCESS)
        snprintf(info->pci, sizeof info->pci, "0000:%02x:%02x.%x", bus & 0xff, slot >> 3 & 0x1f, slot & 7);
}

static void read_uuid(struct device_info *info, cl_device_id id, const char *extensions)
{
    cl_uchar uuid[CL_UUID_SIZE_KHR];
    if (!has_extension(extensions, "cl_khr_device_uuid") ||
        clGetDeviceInfo(id, CL_DEVICE_UUID_KHR, sizeof uuid, uuid, NULL) != CL_SUCCESS)
        return;
    for (int i = 0; i < CL_UUID_SIZE_KHR; i++)
        snprintf(info->uuid + 2 * i, 3, "%02x", uuid[i]);
}

/* By extension, or by part of the name where drivers name the chip. Sources: LLVM's AMDGPU usage guide, NVIDIA's PTX
 * manual (mma.sync from compute capability 7.0 on), Intel's extension. */
static const struct {
    const char *extension, *name, *unit;
} units[] = {
    {"cl_intel_subgroup_matrix_multiply_accumulate", "", "dpas"},
    {"", "gfx908", "mfma"},
    {"", "gfx90a", "mfma"},
    {"", "gfx94", "mfma"},
    {"", "gfx95", "mfma"},
    {"", "gfx11", "wmma"},
    {"", "gfx12", "wmma"},
};

static const char *matrix_unit(const struct device_info *info, cl_device_id id, const char *extensions)
{
    cl_uint capability = 0;
    if (has_extension(extensions, "cl_nv_device_attribute_query") &&
        clGetDeviceInfo(id, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, sizeof capability, &capability, NULL) == CL_SUCCESS)
        return capability >= 7 ? "mma" : "";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].extension[0] ? has_extension(extensions, units[i].extension)
                                  : strstr(info->name, units[i].name) != NULL)
            return units[i].unit;
    return "";
}

void abilities_read(struct device_info *info, cl_device_id id)
{
    char *extensions = read_extensions(id);
    read_pci(info, id, extensions);
    read_uuid(info, id, extensions);
    info->fp16 = has_extension(extensions, "cl_khr_fp16");
    info->bf16 = has_extension(extensions, "cl_intel_bfloat16_conversions");
    info->int8 = has_extension(extensions, "cl_khr_integer_dot_product");
    info->matrix_unit = matrix_unit(info, id, extensions);
    free(extensions);
}

static bool same_uuid(const char *uuid, const char *text)
{
    for (; *uuid && *text; text++)
        if (*text != '-') {
            if (tolower((unsigned char)*text) != *uuid)
                return false;
            uuid++;
        }
    return !*uuid && !*text;
}

bool abilities_match(const struct device_info *info, const char *text)
{
    if (info->pci[0] && (strcmp(info->pci, text) == 0 || strcmp(strchr(info->pci, ':') + 1, text) == 0))
        return true;
    return info->uuid[0] && same_uuid(info->uuid, text);
}
