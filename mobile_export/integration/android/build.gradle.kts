// A library module for Android apps. Android Gradle Plugin 9 compiles Kotlin by itself; for version 8, add
// id("org.jetbrains.kotlin.android") to the plugins.
plugins {
    id("com.android.library")
}

android {
    namespace = "pocketiqa"
    compileSdk = 36
    defaultConfig { minSdk = 28 }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    // The exporter's version, or a newer one.
    api("org.pytorch:executorch-android:1.5.1")
}
