#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Builds, tests or packs the module.
.DESCRIPTION
    A thin front of MSBuild: dotnet build and dotnet test do the same without PowerShell.
    Build   output/Sway/<version>/, which can be imported as it lies
    Test    all tests, the acceptance tests in this pwsh included
    Pack    output/Sway.<version>.zip, to be unpacked into a folder of PSModulePath
.EXAMPLE
    ./build.ps1; Import-Module ./output/Sway
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Pack')]
    [string[]] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Release'
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'Ignore'
$solution = Join-Path $PSScriptRoot Sway.sln
$version = (Import-PowerShellDataFile (Join-Path $PSScriptRoot Sway.psd1)).ModuleVersion
$module = Join-Path $PSScriptRoot output Sway $version

function Invoke-DotNet {
    & dotnet @args
    if ($LASTEXITCODE -ne 0) {
        throw "dotnet $($args[0]) ended with exit code $LASTEXITCODE"
    }
}

switch ($Task) {
    'Build' {
        Invoke-DotNet build $solution -c $Configuration
        "Module: $module"
    }
    'Test' {
        $env:SWAY_PWSH ??= (Get-Process -Id $PID).Path
        Invoke-DotNet test $solution -c $Configuration
    }
    'Pack' {
        Invoke-DotNet build (Join-Path $PSScriptRoot src Sway.PowerShell) -c $Configuration
        $archive = Join-Path $PSScriptRoot output "Sway.$version.zip"
        # Not every installation brings Compress-Archive along.
        Remove-Item $archive -ErrorAction Ignore
        [IO.Compression.ZipFile]::CreateFromDirectory((Split-Path $module), $archive, 'Optimal', $true)
        "Package: $archive"
    }
}
